"""Recordings of eye trackers, without any flag: small files made after their documentation -> the right fixations."""

from pathlib import Path

import pytest
from ingested import fixations

from data_pipelines.ingestion.gaze_files import read_gaze
from data_pipelines.ingestion.gaze_formats import messages
from data_pipelines.runtime.errors import UserError

# Films have six frames of 64x36 at 10 Hz. On a screen of 128x92 they fill, doubled, the rows 10 to 81.
EMPTY: list[tuple[int, int]] = []


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


ASC_HEAD = """** CONVERTED FROM P01.edf using edfapi 4.2.1
** TYPE: EDF_FILE BINARY EVENT SAMPLE TAGGED
MSG\t900 !MODE RECORD CR 500 2 1 R
MSG\t901 {screen}
"""
GAZE_COORDS = "GAZE_COORDS 0.00 0.00 127.00 91.00"


def asc_samples(first: int, x: float, y: float, num: int = 300) -> str:
    """Samples every 2 ms; a blink in the fourth frame."""
    lines = []
    for number in range(num):
        lost = 150 <= number < 200
        lines.append(f"{first + 2 * number}\t" + (" .\t .\t 0.0\t..." if lost else f"{x:.1f}\t{y:.1f}\t900.0\t..."))
    return "\n".join(lines) + "\n"


def test_samples_of_eyelink_start_with_the_films_first_frame(films, add, tmp_path):
    text = (
        ASC_HEAD.format(screen=GAZE_COORDS)
        + "MSG\t950 TRIALID 1\nSTART\t1000 \tRIGHT\tSAMPLES\tEVENTS\nSAMPLES\tGAZE\tRIGHT\tRATE\t500.00\n"
        + asc_samples(1000, 5, 5, 50)  # before the film
        + "MSG\t1105 5 !V VFRAME 1 0 10 ../films/two.mp4\n"
        + asc_samples(1100, 20, 20)
        + "MSG\t1200 !V VFRAME 2 0 10 ../films/two.mp4\nMSG\t1700 VIDEO_END\n"
        + asc_samples(1700, 50, 50, 10)
        + "END\t1720 \tSAMPLES\tEVENTS\nMSG\t1730 TRIAL_RESULT 0\n"
        + "MSG\t1950 TRIALID 2\nSTART\t2000 \tRIGHT\tSAMPLES\tEVENTS\nMSG\t2100 movie_onset\n"
        + asc_samples(2000, 40, 40, 50)
        + asc_samples(2100, 60, 12)
        + asc_samples(2700, 400, 12, 10)  # off the screen, after the film
        + "END\t2800 \tSAMPLES\tEVENTS\nMSG\t2801 !V TRIAL_VAR video one.mp4\nMSG\t2810 TRIAL_RESULT 0\n"
    )
    said = add(films, written(tmp_path / "gaze" / "P01.asc", text))
    assert fixations(tmp_path, "two") == [[(10, 5)]] * 3 + [EMPTY] + [[(10, 5)]] * 2
    assert fixations(tmp_path, "one") == [[(30, 1)]] * 3 + [EMPTY] + [[(30, 1)]] * 2
    assert "EyeLink: pixels of a screen of 128x92, the film at (0, 10), samples, times from VFRAME" in said
    assert (
        "EyeLink: pixels of a screen of 128x92, the film fills it, samples, times from messages of the film's" in said
    )


def test_fixations_of_eyelink_last_as_long_as_they_did_and_observers_have_their_own_files(films, add, tmp_path):
    for observer, eye, x in (("P01", "L", 20.0), ("P02", "R", 100.0)):
        other = "R" if eye == "L" else "L"
        text = (
            ASC_HEAD.format(screen="DISPLAY_COORDS 0 0 128 92")
            + "START\t1000 \tLEFT\tRIGHT\tSAMPLES\tEVENTS\nSAMPLES\tGAZE\tLEFT\tRIGHT\tRATE\t500.00\n"
            + "EVENTS\tGAZE\tLEFT\tRIGHT\tRATE\t500.00\nMSG\t1100 SYNCTIME\n"
            + f"1000\t {x}\t 30.0\t 900.0\t 90.0\t 30.0\t 900.0\t.....\nSFIX {eye}   1050\n"
            + f"EFIX {eye}   1050\t1250\t202\t  {x}\t   30.0\t    900\n"
            + f"EFIX {other}   1052\t1100\t50\t  1.0\t   1.0\t    900\n"
            + f"SBLINK {eye} 1252\nEBLINK {eye} 1252\t1402\t152\n"
            + f"EFIX {eye}   1410\t1490\t82\t  {x}\t   50.0\t    900\n"
            + f"EFIX {eye}   1500\t1600\t102\t  -20.0\t   50.0\t    900\nEND\t1720 \tSAMPLES\tEVENTS\n"
        )
        written(tmp_path / "gaze" / "one" / f"{observer}.asc", text)
    said = add(films, tmp_path / "gaze")
    first, later = [(10, 10), (50, 10)], [(10, 20), (50, 20)]
    assert fixations(tmp_path, "one") == [first, first, EMPTY, later, EMPTY, EMPTY]
    assert "fixations of the left eye, times from SYNCTIME" in said
    assert said.endswith("of 2 observers.\n")


def test_a_fixation_of_eyelink_ends_with_the_film(films, add, tmp_path):
    text = ASC_HEAD.format(screen="GAZE_COORDS 0 0 127 71") + "START\t1000\tRIGHT\tEVENTS\nEVENTS\tGAZE\tRIGHT\n"
    text += "MSG\t1000 VIDEO_START one.mp4\nEFIX R   1100\t1500\t400\t40.0\t20.0\t900\nMSG\t1300 VIDEO_END\nEND\t1600\n"
    add(films, written(tmp_path / "P01.asc", text))
    assert fixations(tmp_path, "one") == [EMPTY, [(20, 10)], [(20, 10)], EMPTY, EMPTY, EMPTY]


def test_numbers_of_eyelinks_calibration_are_no_samples(films, add, tmp_path):
    calibration = (
        "MSG\t910 !CAL\n>>>>>>> CALIBRATION (HV9,P-CR) FOR LEFT: <<<<<<<<<\nMSG\t911 !CAL Calibration points:\n"
        "MSG\t911 !CAL -32.6, -47.7        -0,    227\nMSG\t912 !CAL Cal coeff:(X=a+bx+cy+dxx+eyy,Y=f+gx+goaly)\n"
        "  -0.00043008  131.07  1.437  0.051949\n   227.35 -1.5024  153.47\n7.1054e-15  132.75\n"
        "MSG\t913 !CAL Corner correction:\n   9.5364e-06,  3.4194e-05\n"
    )
    block = "START\t{}\tRIGHT\tSAMPLES\nSAMPLES\tGAZE\tRIGHT\tRATE\t500.00\nMSG\t{} VIDEO_START {}.mp4\n"
    text = ASC_HEAD.format(screen="GAZE_COORDS 0 0 127 71")
    for start, film in ((1000, "one"), (3000, "two")):
        text += calibration + block.format(start, start, film) + asc_samples(start, 40, 20) + f"END\t{start + 600}\n"
    add(films, written(tmp_path / "P01.asc", text))
    for film in ("one", "two"):
        assert fixations(tmp_path, film) == [[(20, 10)]] * 3 + [EMPTY] + [[(20, 10)]] * 2


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (GAZE_COORDS, "no coordinates", "has no GAZE_COORDS or DISPLAY_COORDS"),
        ("SAMPLES\tGAZE", "SAMPLES\tHREF", "line 6: positions are HREF, not GAZE"),
        ("\t7.0\t", "\tseven\t", r"line 7: .*seven.* is not understood"),
        (
            "MSG\t1000 nothing",
            "MSG\t1000 VIDEO_START\nMSG\t1001 VIDEO_END\nMSG\t1002 VIDEO_START",
            "1002 says which film",
        ),
        ("START\t1000", "STARTED\t1000", "has no START line"),
    ],
)
def test_recordings_of_eyelink_that_do_not_tell_enough_are_refused(tmp_path, old, new, fault):
    text = ASC_HEAD.format(screen=GAZE_COORDS) + "START\t1000 \tRIGHT\tSAMPLES\nSAMPLES\tGAZE\tRIGHT\tRATE\t500.00\n"
    text += "1000\t7.0\t7.0\t900.0\nMSG\t1000 nothing\n"
    with pytest.raises(UserError, match=f"P01.asc.*{fault}"):
        read_gaze([written(tmp_path / "P01.asc", text.replace(old, new))])


def test_texts_beside_recordings_are_left_out_with_a_warning(tmp_path, caplog):
    text = ASC_HEAD.format(screen=GAZE_COORDS) + "START\t1000 \tRIGHT\tSAMPLES\nSAMPLES\tGAZE\tRIGHT\tRATE\t500.00\n"
    written(tmp_path / "gaze" / "P01.asc", text + "1000\t7.0\t7.0\t900.0\nEND\t1002\n")
    others = [
        written(tmp_path / "gaze" / "answers.csv", "film,liked\none,yes\n"),
        written(tmp_path / "gaze" / "experimenter.txt", "Calibration was repeated twice.\n"),
    ]
    assert len(read_gaze([tmp_path / "gaze"]).gaze) == 1
    assert "2 files beside the recordings have no columns x and y and are left out; first: " in caplog.text
    assert "answers.csv" in caplog.text
    with pytest.raises(UserError, match="answers.csv: has no column x"):  # given by itself, it is meant
        read_gaze([tmp_path / "gaze", others[0]])
    (tmp_path / "gaze" / "P01.asc").unlink()
    with pytest.raises(UserError, match="answers.csv: has no column x"):
        read_gaze([tmp_path / "gaze"])


@pytest.mark.parametrize(
    ("message", "starts", "ends", "names"),
    [
        ("VIDEO_START", True, False, ""),
        ("VIDEO_1_ONSET", True, False, ""),
        ("VideoStart my film.mp4", True, False, "my film.mp4\0film.mp4"),
        ("movie_onset one", True, False, "one"),
        ("VIDEO_ON clip_2", True, False, "clip_2"),
        (r"play C:\films\one.mp4", True, False, r"C:\films\one.mp4"),
        ("one.mp4 start", True, False, "one.mp4"),
        ("Video_terminates", False, True, ""),
        ("film 2 offset", False, True, ""),
        ("TRIALID 1", False, False, ""),
        ("TRIALID 3 one.mp4", False, False, "one.mp4"),
        ("RECCFG CR 1000 2 0 R", False, False, "RECCFG CR 1000 2 0 R"),
    ],
)
def test_messages_of_experiments_are_understood(message, starts, ends, names):
    told = messages.starts_film(message), messages.ends_film(message), messages.names_in(message)
    assert told == (starts, ends, names)


@pytest.mark.parametrize(
    "script",
    [
        "MSG\t990 TRIALID 1\nSTART\t1000 \tR\nMSG\t1100 VIDEO_START one.mp4\nMSG\t1700 VIDEO_END\n",
        "MSG\t990 TRIALID one\nSTART\t1000 \tR\nMSG\t1050 DISPLAY ON\nMSG\t1100 movie_onset\n",
        "MSG\t990 TRIALID 1\nSTART\t1000 \tR\nMSG\t1100 stimulus: films/one.mp4\n",
        "MSG\t990 film one.mp4\nSTART\t1000 \tR\nMSG\t1100 SYNCTIME\n",
        "START\t1000 \tR\nMSG\t1000 !V TRIAL_VAR clip one\nMSG\t1100 SYNCTIME 0\n",
        "START\t1000 \tR\nMSG\t1005 TRIAL 1 START\nMSG\t1010 DRIFTCORRECT\nMSG\t1020 TRIAL_END\n"
        "MSG\t1090 TRIALID 2\nMSG\t1095 !V TRIAL_VAR clip one\nMSG\t1100 VIDEO_START\n",
        "START\t1000 \tR\nMSG\t1300 !V VFRAME 3 0 0 one.mp4\nMSG\t1400 !V VFRAME 4 0 0 one.mp4\n",
    ],
)
def test_ways_in_which_eyelink_experiments_tell_a_films_start(script, films, add, tmp_path):
    text = ASC_HEAD.format(screen="GAZE_COORDS 0 0 127 71") + script + "SAMPLES\tGAZE\tRIGHT\tRATE\t500\n"
    add(films, written(tmp_path / "P01.asc", text + asc_samples(1100, 40, 20) + "END\t1720 \tSAMPLES\n"))
    seen = [(20, 10)]
    assert fixations(tmp_path, "one")[2:] == [seen, EMPTY, seen, seen]


def test_gaze_on_a_film_that_is_not_given_is_not_taken_for_that_of_the_file(films, tmp_path):
    text = ASC_HEAD.format(screen=GAZE_COORDS) + "START\t1000 \tR\nSAMPLES\tGAZE\tRIGHT\nMSG\t1100 PLAY three.mp4\n"
    written(tmp_path / "one" / "P01.asc", text + asc_samples(1100, 40, 20))
    assert list(read_gaze([tmp_path / "one"]).gaze) == ["three.mp4"]


PRO_LAB = [
    "Recording timestamp",
    "Sensor",
    "Participant name",
    "Recording name",
    "Recording resolution height",
    "Recording resolution width",
    "Event",
    "Event value",
    "Gaze point X",
    "Gaze point Y",
    "Validity left",
    "Validity right",
    "Gaze point X (MCSnorm)",
    "Gaze point Y (MCSnorm)",
    "Presented Media name",
    "Presented Media width",
    "Presented Media height",
    "Presented Media position X (DACSpx)",
    "Presented Media position Y (DACSpx)",
    "Eye movement type",
    "Eye movement type index",
    "Fixation point X",
    "Fixation point Y",
]
STUDIO = [
    "ParticipantName",
    "RecordingName",
    "RecordingResolution",
    "MediaName",
    "MediaPosX (ADCSpx)",
    "MediaPosY (ADCSpx)",
    "MediaWidth",
    "MediaHeight",
    "RecordingTimestamp",
    "StudioEvent",
    "StudioEventData",
    "GazeEventType",
    "FixationIndex",
    "GazePointX (ADCSpx)",
    "GazePointY (ADCSpx)",
    "ValidityLeft",
    "ValidityRight",
]
NEW_TITLES = {"Recording timestamp": "Recording timestamp [μs]", "Gaze point X": "Gaze point X [DACS px]"} | {
    "Gaze point X (MCSnorm)": "Gaze point X [MCS norm]",
    "Gaze point Y (MCSnorm)": "Gaze point Y [MCS norm]",
}


def tsv(titles: list[str], rows: list[dict], rename=lambda title: title, decimal: str = ".") -> str:
    cells = [[str(row.get(title, "")) for title in titles] for row in rows]
    cells = [[cell.replace(".", decimal) if cell[:1].isdigit() else cell for cell in row] for row in cells]
    lines = ["\t".join(map(rename, titles)), *map("\t".join, cells)]
    return "\r\n".join(lines) + "\r\n"


def pro_lab_rows(observer: str, x: float, unit: float = 1) -> list[dict]:
    """Samples every 20 ms of the film two, which is at (0, 10) on a screen of 128x92; nothing in the fourth frame."""
    shared = {"Participant name": observer, "Recording name": "Recording1"}
    shared |= {"Recording resolution width": 128, "Recording resolution height": 92}
    placed = {"Presented Media width": 128, "Presented Media height": 72, "Presented Media position X (DACSpx)": 0}
    placed |= {"Presented Media position Y (DACSpx)": 10, "Presented Media name": "two.mp4"}
    start = 5000
    rows = [shared | {"Recording timestamp": start - 40, "Gaze point X": 3, "Gaze point Y": 3}]
    rows.append(shared | {"Recording timestamp": start, "Event": "VideoStimulusStart", "Event value": "two"})
    for number in range(30):
        lost = 15 <= number < 20
        eye = (
            {"Validity left": "Invalid", "Validity right": "Invalid"}
            if lost
            else {
                **{"Validity left": "Valid", "Validity right": "Invalid", "Gaze point X": 2 * x, "Gaze point Y": 30},
                **{"Gaze point X (MCSnorm)": f"{x / 64:.5f}", "Gaze point Y (MCSnorm)": f"{20 / 72:.5f}"},
            }
        )
        rows.append(shared | placed | eye | {"Recording timestamp": start + 3 + 20 * number})
    rows.append(shared | {"Recording timestamp": start + 600, "Event": "VideoStimulusEnd", "Event value": "two"})
    rows.append(rows[-2] | {"Recording timestamp": start + 640})  # the last frame stays
    return [row | {"Recording timestamp": round(row["Recording timestamp"] * unit)} for row in rows]


@pytest.mark.parametrize("variant", ["MCSnorm", "placed", "screen", "μs", "unnamed μs", "German"])
def test_samples_of_tobii_pro_lab_are_on_the_film_by_whatever_columns_there_are(films, add, tmp_path, variant):
    left_out = {"placed": "MCS", "screen": "M", "MCSnorm": " "}.get(variant, " no")
    titles = [title for title in PRO_LAB if "Fixation" not in title and "movement" not in title]
    titles = [title for title in titles if not any(word in title for word in left_out.split() if variant != "screen")]
    if variant == "screen":
        titles = [
            title for title in titles if "MCS" not in title and " position" not in title and "Media w" not in title
        ]
    rows = [
        row
        for name, x in (("P01", 10.5), ("P02", 50.5))
        for row in pro_lab_rows(name, x, 1000 if "μs" in variant else 1)
    ]
    rename = (lambda title: NEW_TITLES.get(title, title)) if variant == "μs" else (lambda title: title)
    text = tsv(titles, rows, rename, "," if variant == "German" else ".")
    said = add(films, written(tmp_path / "export.tsv", text, "utf-16" if variant == "German" else "utf-8-sig"))
    seen = [(10, 10), (50, 10)]
    assert fixations(tmp_path, "two") == [seen, seen, seen, EMPTY, seen, seen]
    place = "pixels of a screen of 128x92, the film fills it" if variant == "screen" else "fraction of the film"
    assert f"Tobii: {place}" in said
    tables = [table for of_film in read_gaze([tmp_path / "export.tsv"]).gaze.values() for table in of_film]
    assert {table.conventions.viewing.measured_on_film for table in tables} == {variant != "screen"}
    assert "samples, times from the event of the film" in said
    assert said.endswith("of 2 observers.\n")


def test_fixations_of_tobii_pro_lab(films, add, tmp_path):
    rows = pro_lab_rows("P01", 10.5)
    for number, row in enumerate(rows):
        kind = "EyesNotFound" if row.get("Validity left") == "Invalid" else "Fixation" if "Validity left" in row else ""
        index = 1 if number < 17 else 2
        row |= {"Eye movement type": kind, "Eye movement type index": index}
        if 2 <= number < 12:
            row |= {"Gaze point X": 99, "Fixation point X": 21, "Fixation point Y": 30}
        elif number < 17:
            row |= {"Eye movement type": "Saccade"}
        elif kind == "Fixation":
            row |= {"Fixation point X": 41, "Fixation point Y": 50}
    titles = [title for title in PRO_LAB if "MCS" not in title]
    said = add(films, written(tmp_path / "export.tsv", tsv(titles, rows)))
    first, second = [(10, 10)], [(20, 20)]
    assert fixations(tmp_path, "two") == [first, first, first, EMPTY, second, second]  # 3 to 203 ms, 403 to 603 ms
    assert "by position and size of the media; fixations" in said


def test_samples_of_tobii_studio(films, add, tmp_path):
    shared = {
        "ParticipantName": "P01",
        "RecordingName": "R1",
        "RecordingResolution": "128 x 92",
        "MediaName": "one.avi",
    }
    shared |= {"MediaPosX (ADCSpx)": 32, "MediaPosY (ADCSpx)": 28, "MediaWidth": 64, "MediaHeight": 36}
    rows = [shared | {"RecordingTimestamp": 1000, "StudioEvent": "MovieStart", "StudioEventData": "one.avi"}]
    for number in range(40):
        invalid = 15 <= number < 20
        eye = {"GazePointX (ADCSpx)": 52, "GazePointY (ADCSpx)": 38, "ValidityLeft": 4, "ValidityRight": 4 * invalid}
        rows.append(shared | eye | {"RecordingTimestamp": 1003 + 20 * number})
    add(films, written(tmp_path / "export.tsv", tsv(STUDIO, rows)))
    seen = [(20, 10)]
    assert fixations(tmp_path, "one") == [seen, seen, seen, EMPTY, seen, seen]


def test_an_export_of_tobii_without_the_films_place_is_refused_and_columns_go_before_the_format(films, tmp_path):
    titles = ["Recording timestamp", "Gaze point X", "Gaze point Y", "Presented Media name"]
    path = written(tmp_path / "export.tsv", tsv(titles, pro_lab_rows("P01", 10.5)))
    with pytest.raises(UserError, match=r"export.tsv: has no gaze of a film or of a screen of known size. Export"):
        read_gaze([path])
    columns = {
        "x": "Gaze point X",
        "y": "Gaze point Y",
        "time_ms": "Recording timestamp",
        "video": "Presented Media name",
    }
    assert set(read_gaze([path], columns).gaze) == {"two.mp4", "export"}
