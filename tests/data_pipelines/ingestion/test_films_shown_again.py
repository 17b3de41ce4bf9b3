"""Films shown twice in one recording, and messages and rows that are not a second showing: gaze keeps its time."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from data_pipelines.ingestion.film_names import OR
from data_pipelines.ingestion.gaze_files import read_gaze
from data_pipelines.runtime.errors import UserError


@pytest.fixture
def seen(tmp_path):
    """A function: the text of a recording, its name -> film -> (seconds, x) of its gaze."""

    def read(text: str, name: str, **beside: str) -> dict[str, list[tuple[float, float]]]:
        for file, content in {name: text, **beside}.items():
            path = tmp_path / "gaze" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
        films: dict[str, list[tuple[float, float]]] = {}
        for names, tables in read_gaze([tmp_path / "gaze"]).gaze.items():
            for table in tables:
                rows = np.round(np.column_stack([table.starts, table.x]), 3).tolist()
                films.setdefault(names.split(OR)[0].split(".")[0], []).extend(map(tuple, rows))
        return films

    return read


TWICE = [(0.05, 10), (0.15, 10), (0.05, 30), (0.15, 30)]
ASC = (
    "** CONVERTED FROM P01.edf\nMSG\t901 GAZE_COORDS 0 0 127 91\nSTART\t1000\tRIGHT\nSAMPLES\tGAZE\tRIGHT\tRATE\t500\n"
)


def asc(*lines: tuple[int, str]) -> str:
    """A recording of messages and of samples 50 and 150 ms after each time `see X`."""
    text = []
    for time, said in lines:
        if said.startswith("see "):
            text += [f"{time + late}\t{said[4:]}\t20\t900\t..." for late in (50, 150)]
        else:
            text.append(f"MSG\t{time} {said}")
    return ASC + "\n".join(text) + "\nEND\t9000\tSAMPLES\n"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("VIDEO_START one.mp4", "VIDEO_START one.mp4"),
        ("!V VFRAME 1 0 0 one.mp4", "!V VFRAME 1 0 0 one.mp4"),
        ("TRIALID one.mp4\nMSG\t1050 VIDEO_START", "TRIALID one.mp4\nMSG\t4050 videostart"),
    ],
)
def test_eyelink_shows_a_film_again_when_its_start_is_told_again(seen, first, second):
    then = [(1090, "!V VFRAME 2 0 0 one.mp4")] if "VFRAME" in first else []
    text = asc((1050, first), (1050, "see 10"), *then, (4050, second), (4050, "see 30"))
    assert seen(text, "P01.asc") == {"one": TWICE}


@pytest.mark.parametrize("about", ["one.mp4 frame 9", "keyframe 9 of one.mp4", "VIDEO_START one.mp4"])
def test_messages_of_eyelink_about_a_film_do_not_start_it_again(seen, about):
    start = "VIDEO_START one.mp4" if about.startswith("VIDEO") else "one.mp4"
    text = asc((1050, start), (1050, "see 10"), (1250, about), (1250, "see 30"))
    assert seen(text, "P01.asc") == {"one": [(0.05, 10), (0.15, 10), (0.25, 30), (0.35, 30)]}


@pytest.mark.parametrize(
    "start",
    ["videostart", "MOVIEONSET", "Filmstart", "startmovie", "display_onset", "DISPLAY START", "start_trial one"],
)
def test_eyelink_starts_a_film_in_more_wordings(seen, start):
    films = seen(asc((1000, "see 99"), (2050, start), (2050, "see 10")), "one.asc")
    assert films == {"one": [(0.05, 10), (0.15, 10)]}


def test_fixations_of_eyelink_are_of_the_eye_that_the_trial_recorded(seen):
    text = ASC + "MSG\t1000 VIDEO_START one.mp4\nEFIX L 1100 1200 100 10 20 900\nEFIX L 1300 1400 100 11 20 900\n"
    text += "EFIX R 1101 1200 100 99 20 900\nMSG\t2000 VIDEO_END\nMSG\t3000 VIDEO_START two.mp4\n"
    text += "EFIX R 3100 3200 100 30 20 900\nEND\t4000\n"
    assert seen(text, "P01.asc") == {"one": [(0.1, 10), (0.3, 11)], "two": [(0.1, 30)]}


TOBII = "Recording timestamp [ms]\tParticipant name\tRecording name\tPresented Media name\tGaze point X (MCSpx)\t"
TOBII += "Gaze point Y (MCSpx)\tValidity left\tValidity right\tEye movement type\tGaze event duration\n"


def tobii(rows: list[tuple], left_out: str = "", titles: str = TOBII) -> str:
    """An export of rows (time, film, x, validity of both eyes, eye movement type)."""
    kept = [place for place, title in enumerate(titles.strip().split("\t")) if not left_out or left_out not in title]
    lines = [titles.strip().split("\t")]
    for time, film, x, *more in rows:
        valid, kind, duration = [*more, *("Valid", "", "")[len(more) :]]
        lines.append([str(cell) for cell in (time, "P1", "R1", film, x, 20, valid, valid, kind, duration)])
    return "".join("\t".join(line[place] for place in kept) + "\n" for line in lines)


def test_tobii_shows_a_film_again_after_rows_without_one(seen):
    rows = [(1000, "one", 10), (1100, "one", 11), (1200, "", 99), (1300, "one", 12), (1400, "", 99)]
    rows += [(5000, "", 99), (9000, "one", 30), (9100, "one", 31)]
    films = seen(tobii(rows), "export.tsv")
    assert films == {"one": [(0, 10), (0.1, 11), (0.3, 12), (0, 30), (0.1, 31)]}


@pytest.mark.parametrize("left_out", ["name", "Recording name"])
def test_recordings_of_tobii_one_after_the_other_are_refused_unless_they_are_named(seen, left_out):
    rows = [(time, "one", 10) for time in (1000, 1100, 0, 100)]
    with pytest.raises(UserError, match="export.tsv, line 4: the clock goes back, as if another recording began"):
        seen(tobii(rows, left_out), "export.tsv")


@pytest.mark.parametrize("left_out", ["left", "right", "none"])
@pytest.mark.parametrize("code", ["Invalid", "4", "4.0", "4,0"])
def test_eyes_that_tobii_has_lost_are_left_out_by_whatever_columns_there_are(seen, left_out, code):
    rows = [(1000, "one", 10, "0"), (1100, "one", 99, code), (1200, "one", 12, "0")]
    assert seen(tobii(rows, left_out), "export.tsv") == {"one": [(0, 10), (0.2, 12)]}


def fixations_of(tmp_path: Path) -> list[tuple[float, float, float]]:
    ((table,),) = read_gaze([tmp_path / "gaze"]).gaze.values()
    return [tuple(np.round(row, 3).tolist()) for row in np.column_stack([table.starts, table.durations, table.x])]


def test_fixations_of_tobii_without_numbers_end_with_another_movement(seen, tmp_path):
    kinds = ["Fixation", "Fixation", "Saccade", "Fixation", "", "Fixation"]
    rows = [(1000 + 20 * place, "one", 10 + 10 * place, "Valid", kind) for place, kind in enumerate(kinds)]
    seen(tobii(rows), "export.tsv")
    assert fixations_of(tmp_path) == [(0, 0.04, 15), (0.06, 0.06, 50)]


@pytest.mark.parametrize(
    ("title", "unit"), [("Recording timestamp", 1), ("Recording timestamp", 1000), ("RecordingTimestamp", 1)]
)
def test_an_export_of_nothing_but_fixations_tells_their_durations(seen, tmp_path, title, unit):
    """Their interval is no sign of microseconds, and each has a row of its own."""
    titles = TOBII.replace("Recording timestamp [ms]", title).replace("Gaze point", "Fixation point")
    rows = [(time * unit, "one", time // 10, "Valid", "Fixation", 90 * unit) for time in (0, 300, 600)]
    seen(tobii(rows, titles=titles), "export.tsv")
    assert fixations_of(tmp_path) == [(0, 0.09, 0), (0.3, 0.09, 30), (0.6, 0.09, 60)]


def test_gazepoint_shows_a_film_again_with_the_same_numbers_of_fixations(seen, tmp_path):
    text = "MEDIA_NAME,TIME(2024/01/27),FPOGX,FPOGY,FPOGS,FPOGD,FPOGID,FPOGV,USER\n"
    for x in (0.1, 0.9):
        text += "".join(f"one.mp4,{t},{x},0.5,0.0,{t},1,1,{'MARK' if t == 0.2 else ''}\n" for t in (0.1, 0.2, 0.4))
    seen(text, "User 0_all_gaze.csv")
    assert fixations_of(tmp_path) == [(0, 0.4, 0.1), (0, 0.4, 0.9)]


SMI = (
    "Time\tType\tTrial\tL POR X [px]\tL POR Y [px]\tR POR X [px]\tR POR Y [px]\tL Event Info\tR Event Info\tStimulus\n"
)


def test_smi_shows_a_film_again_in_another_trial_and_averages_eyes_that_fixate(seen):
    text = SMI
    for trial, start, x in ((1, 1, 10), (2, 9, 30)):
        for time, right, kind in ((0, x, "Fixation"), (0.1, 99, "Saccade")):
            text += f"{1e6 * (start + time):.0f}\tSMP\t{trial}\t{x}\t20\t{right}\t20\tFixation\t{kind}\tone.avi\n"
    assert seen(text, "S1.txt") == {"one": [(0, 10), (0.1, 10), (0, 30), (0.1, 30)]}


@pytest.mark.parametrize(("about", "start"), [("one.mp4 frame 9", 0.3), ("one.mp4", 0), ("VIDEO_START one.mp4", 0)])
def test_messages_of_smi_start_a_film_again_only_if_they_say_so(seen, about, start):
    text = SMI.replace("\tStimulus", "") + "1000000\tMSG\t1\t# Message: one.mp4\n"
    text += "1000000\tSMP\t1\t10\t20\t10\t20\tFixation\tFixation\n"
    text += f"1300000\tMSG\t1\t# Message: {about}\n1300000\tSMP\t1\t30\t20\t30\t20\tFixation\tFixation\n"
    films = seen(text, "S1.txt")
    assert films == {"one": [(0, 10), (start, 30)]}


PUPIL = "World_Timestamp,gaze_timestamp,x_norm,y_norm,on_surf,confidence\n"


@pytest.mark.parametrize(
    ("labels", "films"),
    [
        (["one.mp4", "one.mp4 frame 9"], [(0, 0.1), (0.1, 0.2), (0.2, 0.3)]),
        (["film_start one.mp4", "film_start one.mp4"], [(0, 0.1), (0.1, 0.2), (0, 0.3)]),
        (["film_start one.mp4", "film_end"], [(0, 0.1), (0.1, 0.2)]),
    ],
)
def test_annotations_of_pupil_player_start_and_end_films(seen, labels, films):
    gaze = PUPIL.upper() + "".join(f"0,{500 + t},{round(t + 0.1, 1)},0.9,True,0.9\n" for t in (0, 0.1, 0.2))
    gaze += "0,500.15,0.5,0.5,True,0.1\n"  # lost: of little confidence
    told = "index,timestamp,label\n" + "".join(f"0,{500 + 0.2 * place},{label}\n" for place, label in enumerate(labels))
    found = seen(gaze, "000/surfaces/gaze_positions_on_surface_one.csv", **{"000/annotations.csv": told})
    assert found == {"one": films}


def test_the_lower_left_corner_of_pupil_player_is_known_by_titles_in_capitals(tmp_path):
    path = tmp_path / "gaze_positions_on_surface_one.csv"
    path.write_text(PUPIL.upper() + "0,500,0.25,0.9,True,0.9\n")
    ((table,),) = read_gaze([path]).gaze.values()
    np.testing.assert_allclose(table.y, 0.1)


BIDS = {"Columns": ["timestamp", "x_coordinate", "y_coordinate"], "PhysioType": "eyetrack", "SamplingFrequency": 10}
BIDS |= {"timestamp": {"Units": "ms"}, "x_coordinate": {"Units": "pixel"}, "y_coordinate": {"Units": "pixel"}}
STEM = "sub-01_task-one_recording-eye1_physio"


def test_messages_about_a_film_in_bids_do_not_start_it_again(seen):
    rows = "n/a\t1\t1\n" + "".join(f"{1000 + 100 * place}\t{10 + place}\t20\n" for place in range(4))
    told = "1000\tn/a\tone.mp4\n1200\tn/a\tone.mp4 frame 9\n"
    beside = {f"{STEM}.json": json.dumps(BIDS), f"{STEM}events.tsv.gz": told}
    films = seen("\ufeff" + rows, f"{STEM}.tsv.gz", **beside)
    assert films["one"] == [(0, 10), (0.1, 11), (0.2, 12), (0.3, 13)]


@pytest.mark.parametrize(
    ("about", "shown", "y"),
    [
        ({}, {"ScreenOrigin": ["top", "left"]}, 20),
        ({}, {"ScreenOrigin": ["bottom", "left"]}, 52),
        ({"EnvironmentCoordinates": "bottom-left"}, {}, 52),
        ({"EnvironmentCoordinates": "center"}, {}, "center of a screen"),
        ({"y_coordinate": {"Units": "degree"}}, {}, "positions are in degree"),
    ],
)
def test_the_origin_of_positions_in_bids_is_taken_or_refused(tmp_path, about, shown, y):
    (tmp_path / f"{STEM}.json").write_text(json.dumps(BIDS | about))
    screen = {"StimulusPresentation": {"ScreenResolution": [128, 72]} | shown}
    (tmp_path / "sub-01_task-one_events.json").write_text(json.dumps(screen))
    path = tmp_path / f"{STEM}.tsv.gz"
    path.write_bytes(gzip.compress(b"1000\t10\t20\n"))
    if isinstance(y, str):
        with pytest.raises(UserError, match=y):
            read_gaze([path])
    else:
        ((table,),) = read_gaze([path]).gaze.values()
        assert table.y.tolist() == [y]


@pytest.mark.parametrize(("status", "x"), [(0, [15]), (2, [10]), (20, [20]), (22, [])])
def test_eyes_that_psychopy_calls_lost_are_left_out(tmp_path, status, x):
    path = tmp_path / "one.csv"
    titles = "device_time,logged_time,time,left_gaze_x,left_gaze_y,right_gaze_x,right_gaze_y,status"
    path.write_text(f"{titles}\n0,0,90,10,5,20,5,{status}\n")
    ((table,),) = read_gaze([path]).gaze.values()
    assert table.x.tolist() == x


def test_events_without_films_and_places_of_electrodes_are_no_hindrance_in_bids(seen):
    beside = {
        f"{STEM}.json": json.dumps(BIDS),
        "sub-01_task-one_events.tsv": "\ufeffonset\tduration\ttrial_type\n0.0\t0.0\t12\n",
        f"{STEM}events.tsv.gz": "\ufeff1000\t0.03\tblink\n",
        "sub-01_space-CapTrak_electrodes.tsv": "name\tx\ty\tz\nE1\t0.1\t0.2\t0.3\n",
    }
    assert seen("\ufeff1000\t10\t20\n1100\t11\t20\n", f"{STEM}.tsv.gz", **beside)[STEM] == [(0, 10), (0.1, 11)]
