"""More recordings of eye trackers, without any flag: files made after their documentation -> the right fixations."""

import gzip
import json
from pathlib import Path

import pytest
from ingested import fixations

from data_pipelines.ingestion.gaze_files import read_gaze
from data_pipelines.runtime.errors import UserError

# Films have six frames of 64x36 at 10 Hz.
EMPTY: list[tuple[int, int]] = []


def table(path: Path, titles: str, rows: list, delimiter: str = ",") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [titles.replace(",", delimiter), *(delimiter.join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


SAMPLES = [0.02 * number for number in range(30)]  # in the film; the fourth frame is a blink in most recordings
WITH_BLINK = [[(20, 10)]] * 3 + [EMPTY] + [[(20, 10)]] * 2


def blink(seconds: float) -> bool:
    return 0.295 < seconds < 0.395


def pupil_core(folder: Path, observer: str, x: float) -> Path:
    """The export of one recording: gaze from 1 s before the film on, a fixation, and files that are not gaze."""
    export = folder / observer / "exports" / "000"
    rows = [
        (1, 0, 500 + t, x / 64, 1 - 10.5 / 36, 0, 0, not blink(t - 1), 0.9)
        for t in (*SAMPLES, *(1 + t for t in SAMPLES))
    ]
    titles = "world_timestamp,world_index,gaze_timestamp,x_norm,y_norm,x_scaled,y_scaled,on_surf,confidence"
    table(export / "surfaces" / "gaze_positions_on_surface_one.csv", titles, rows)
    table(export / "annotations.csv", "index,timestamp,label,duration", [(0, 501, "film_start one.mp4", 0)])
    table(
        export / "gaze_positions.csv",
        "gaze_timestamp,world_index,confidence,norm_pos_x,norm_pos_y",
        [(1, 0, 1, 0.5, 0.5)],
    )
    table(export / "export_info.csv", "key,value", [("Player Software Version", "3.5")])
    table(export / "surfaces" / "surface_events.csv", "world_index,world_timestamp,surface_name,event_type", [])
    return export / "surfaces"


def test_gaze_on_a_surface_of_pupil_player(films, add, tmp_path, caplog):
    for observer, x in (("P01", 20.5), ("P02", 50.5)):
        pupil_core(tmp_path / "gaze", observer, x)
    said = add(films, tmp_path / "gaze")
    both = [(20, 10), (50, 10)]
    assert fixations(tmp_path, "one") == [both] * 3 + [EMPTY] + [both] * 2
    assert "Pupil Core: fraction of the film, samples, times from the film's start" in said
    assert said.endswith("of 2 observers.\n")
    assert "gaze in the scene camera's picture is left out" in caplog.text


def test_fixations_on_a_surface_of_pupil_player_are_read_once_and_in_place_of_gaze(films, add, tmp_path):
    surfaces = pupil_core(tmp_path / "gaze", "P01", 50.5)
    titles = (
        "world_timestamp,world_index,fixation_id,start_timestamp,duration,dispersion,norm_pos_x,norm_pos_y,x_scaled"
    )
    rows = [(1, frame, 7, 501.105, 250.0, 1, 20.5 / 64, 1 - 10.5 / 36, 0, "True") for frame in range(3)]
    rows.append((1, 9, 8, 501.405, 100.0, 1, 1.2, 0.5, 0, "False"))
    table(surfaces / "fixations_on_surface_one.csv", titles + ",on_surf", rows)
    add(films, tmp_path / "gaze")
    assert fixations(tmp_path, "one") == [EMPTY, *[[(20, 10)]] * 3, EMPTY, EMPTY]


def test_sections_of_pupil_cloud_tell_film_observer_and_start(films, add, tmp_path, caplog):
    folder = tmp_path / "gaze" / "two_MARKER-MAPPER_x_csv"
    start = 1_700_000_000_000_000_000
    titles = "section id,recording id,timestamp [ns],fixation id,blink id,gaze detected on surface"
    titles += ",gaze position on surface x [normalized],gaze position on surface y [normalized]"
    rows = [
        (section, "r", start + round(1e9 * (t + late)), 1, "", not blink(t), "" if blink(t) else x / 64, 10.5 / 36)
        for section, x, late in (("s1", 20.5, 0), ("s2", 50.5, 90))
        for t in SAMPLES
    ]
    table(folder / "gaze.csv", titles, rows)
    titles = "section id,recording id,recording name,wearer name,section start time [ns],section end time [ns]"
    rows = [
        (name, "r", "rec", who, start + late, 0, event)
        for name, who, late, event in (("s1", "A", 0, "two.start"), ("s2", "B", 90 * 10**9, "start two.mp4"))
    ]
    table(folder / "sections.csv", f"{titles},start event name", rows)
    for name in ("aoi_positions", "surface_positions"):
        table(folder / f"{name}.csv", "section id,timestamp [ns],tl x [px]", [("s1", start, 3)])
    table(folder / "enrichment_info.txt", "Enrichment: Marker Mapper", [("Version: 3",)])
    said = add(films, tmp_path / "gaze")
    assert "beside the recordings" not in caplog.text
    both = [(20, 10), (50, 10)]
    assert fixations(tmp_path, "two") == [both] * 3 + [EMPTY] + [both] * 2
    assert "Pupil Labs: fraction of the film, samples, times from the film's start" in said
    assert said.endswith("of 2 observers.\n")


GAZEPOINT = (
    "MEDIA_ID,MEDIA_NAME,CNT,TIME(2024/01/27 09:39:32.995),TIMETICK(f=10000000),FPOGX,FPOGY,FPOGS,FPOGD,FPOGID,FPOGV,"
)


@pytest.mark.parametrize("clock", ["restarts", "goes on"])
def test_fixations_of_gazepoint_count_once_and_with_their_whole_duration(films, add, tmp_path, clock):
    for user, x in (("User 0", 20.5), ("User 1", 50.5)):
        rows = []
        for media, name in enumerate(("one.mp4", "two.avi")):
            begin = 7.0 * media if clock == "goes on" else 0.0
            for number, t in enumerate(SAMPLES):
                fixation, start = (1, 0.0) if t < 0.2 else (2, 0.4)
                is_valid = t < 0.2 or t >= 0.4
                rows.append(
                    (
                        media,
                        name,
                        number,
                        begin + t,
                        5,
                        x / 64,
                        (10.5 + media) / 36,
                        begin + start,
                        t - start + 0.01,
                        fixation,
                        int(is_valid),
                        "",
                    )
                )
        table(tmp_path / "gaze" / f"{user}_all_gaze.csv", GAZEPOINT, rows)
    table(tmp_path / "gaze" / "Data_Summary_export.csv", "Gazepoint Analysis,v7.2.0", [])
    said = add(films, tmp_path / "gaze")
    seen = [(20, 10), (50, 10)]
    assert fixations(tmp_path, "one") == [seen, seen, EMPTY, EMPTY, seen, seen]
    lower = [(20, 11), (50, 11)]
    assert fixations(tmp_path, "two") == [lower, lower, EMPTY, EMPTY, lower, lower]
    start = "the first row of each film" if clock == "goes on" else "the start of each film"
    assert f"Gazepoint: fraction of the film, fixations, the film fills the screen, times from {start}" in said
    assert said.endswith("of 2 observers.\n")


def test_media_of_gazepoint_without_names_are_refused(tmp_path):
    rows = [(media, 0.1, 0.5, 0.5, 1) for media in (0, 1)]
    with pytest.raises(UserError, match="one.csv: has 2 media without names. Export MEDIA_NAME"):
        read_gaze([table(tmp_path / "one.csv", "MEDIA_ID,TIME,BPOGX,BPOGY,BPOGV", rows)])


SMI_HEAD = """## [BeGaze]
## Sample Rate:\t50
## Subject:\t{}
## Calibration Area:\t128\t72
## Stimulus Dimension [mm]:\t474\t297
## Head Distance [mm]:\t700
##
Time\tType\tTrial\tL POR X [px]\tL POR Y [px]\tR POR X [px]\tR POR Y [px]\tL Event Info\tStimulus
"""


def test_text_of_smi_tells_screen_distance_and_subject(films, add, tmp_path):
    for subject, x in (("S1", 40.0), ("S2", 100.0)):
        lines = ["1000\tMSG\t1\t# Message: fixation.png", "2000000\tMSG\t1\t# Message: one.mp4"]
        for t in SAMPLES:
            left, right = ("0.00\t0.00", f"{x + 1}\t21") if t < 0.1 else (f"{x}\t20", f"{x + 2}\t22")
            kind = "Blink" if blink(t) else "Saccade" if t > 0.395 and t < 0.5 else "Fixation"
            lines.append(f"{2000500 + round(1e6 * t)}\tSMP\t1\t{left}\t{right}\t{kind}\tone.mp4")
        (tmp_path / "gaze").mkdir(exist_ok=True)
        (tmp_path / "gaze" / f"{subject}.txt").write_text(SMI_HEAD.format(subject) + "\n".join(lines) + "\n")
    said = add(films, tmp_path / "gaze")
    seen = [(20, 10), (50, 10)]
    assert fixations(tmp_path, "one") == [seen, seen, seen, EMPTY, EMPTY, seen]
    assert "SMI: pixels of a screen of 128x72, the film fills it, samples within fixations, times from messages" in said
    assert "sigma: 1.6" in said  # one degree at 70 cm: 1.2 of 47.4 cm
    assert said.endswith("of 2 observers.\n")


def test_raw_data_of_begaze_without_settings_are_named_by_stimulus(films, add, tmp_path):
    titles = "RecordingTime [ms],Trial,Stimulus,Participant,Point of Regard Right X [px],Point of Regard Right Y [px]"
    rows = [
        (1000 * (place + 1) + 1000 * t, "T", name, participant, "-" if blink(t) else x, 10.5 + place)
        for participant, x in (("P1", 20.5), ("P2", 50.5))
        for place, name in enumerate(("two.avi", "-", "one.avi"))
        for t in SAMPLES
    ]
    said = add(films, table(tmp_path / "raw.txt", titles, rows, "\t"))
    assert fixations(tmp_path, "one")[2:4] == [[(20, 12), (50, 12)], EMPTY]
    assert fixations(tmp_path, "two")[2:4] == [[(20, 10), (50, 10)], EMPTY]
    assert "SMI: pixels of the film, samples, screen unknown, times from the first row of each film" in said
    assert said.endswith("of 2 observers.\n")


def test_fixations_that_begaze_exports_as_events(films, add, tmp_path):
    titles = "Trial,Stimulus,Participant,Eye L/R,Category,Event Start Trial Time [ms],Event Duration [ms]"
    titles += ",Fixation Position X [px],Fixation Position Y [px]"
    rows = []
    for observer, x in (("P1", 20.5), ("P2", 50.5)):
        for eye in ("Right", "Left"):
            shift = 0 if eye == "Right" else 5
            rows.append(("T1", "one.avi", observer, eye, "Fixation", "1.5", "298.0", x + shift, 10.5))
            rows.append(("T1", "one.avi", observer, eye, "Blink", "300.0", "100.0", "-", "-"))
            rows.append(("T1", "one.avi", observer, eye, "Fixation", "402.0", "196.5", x + shift, 12.5))
    said = add(films, table(tmp_path / "events.txt", titles, rows, "\t"))
    first, second = [(20, 10), (50, 10)], [(20, 12), (50, 12)]
    assert fixations(tmp_path, "one") == [first, first, first, EMPTY, second, second]
    assert "SMI: pixels of the film, fixations, screen unknown, times from the trial's start" in said


def test_webgazer_data_of_jspsych(films, add, tmp_path):
    place = {
        "#jspsych-video-keyboard-response-stimulus": {
            "x": 100,
            "y": 50,
            "width": 128,
            "height": 72,
            "top": 50,
            "left": 100,
        }
    }
    rows = []
    for subject, x in (("a", 20.5), ("b", 50.5)):
        samples = [{"x": None if blink(t) else 100 + 2 * x, "y": 71, "t": round(1000 * t)} for t in SAMPLES]
        cells = (subject, '["videos/one.mp4"]', json.dumps(samples), json.dumps(place))
        rows.append(['"' + cell.replace('"', '""') + '"' for cell in cells])
    rows.append([subject, '"<p>Thank you</p>"', "", ""])
    path = table(tmp_path / "data.csv", "subject,stimulus,webgazer_data,webgazer_targets", rows)
    said = add(films, path)
    both = [(20, 10), (50, 10)]
    assert fixations(tmp_path, "one") == [both] * 3 + [EMPTY] + [both] * 2
    assert "jsPsych WebGazer: fraction of the film, samples, times from the trial's start" in said
    path.write_text(path.read_text().replace("#jspsych", "#").replace('""width""', '""w""'))
    with pytest.raises(UserError, match=r"data.csv, line 2: webgazer_targets has no place of the film"):
        read_gaze([path])


def test_a_long_trial_of_jspsych_is_read_and_tables_keep_their_limit(tmp_path):
    samples = json.dumps([{"x": 1.5, "y": 2.5, "t": number} for number in range(10_000)]).replace('"', '""')
    place = json.dumps({"video": {"x": 0, "y": 0, "width": 10, "height": 10}}).replace('"', '""')
    row = ["one.mp4", f'"{samples}"', f'"{place}"']
    path = table(tmp_path / "data.csv", "stimulus,webgazer_data,webgazer_targets", [row])
    ((gaze,),) = read_gaze([path]).gaze.values()
    assert len(gaze.x) == 10_000
    with pytest.raises(UserError, match="line 2: field larger"):
        read_gaze([table(tmp_path / "gaze.csv", "time,x,y", [(1, 2, "3" * 200_000)])])


def test_samples_of_psychopy_are_measured_from_the_centre_upwards(films, add, tmp_path):
    titles = "experiment_id,session_id,device_id,event_id,type,device_time,logged_time,time"
    titles += ",left_gaze_x,left_gaze_y,right_gaze_x,right_gaze_y,status"
    rows = [
        (1, session, 0, 0, 52, 0, 0, 90 + t, *(["nan"] * 4 if blink(t) else [x - 32, 7.5, x - 32, 7.5]), 0)
        for session, x in ((1, 20.5), (2, 50.5))
        for t in SAMPLES
    ]
    said = add(films, table(tmp_path / "one.csv", titles, rows))
    both = [(20, 10), (50, 10)]
    assert fixations(tmp_path, "one") == [both] * 3 + [EMPTY] + [both] * 2
    assert "PsychoPy: pixels from the centre of the film, samples, times from the first row" in said
    rows = [(1, 1, 0, 0, 52, 0, 0, 90, 0.2, 0.1, 0.2, 0.1, 0)]
    with pytest.raises(UserError, match="height.csv: positions are not in pixels"):
        read_gaze([table(tmp_path / "height.csv", titles, rows)])


def test_the_eye_that_psychopy_calls_invalid_is_lost_where_it_is_the_only_one(films, add, tmp_path):
    rows = [(1, 0, 0, 0.1 * number, 2 * (number == 1), -11.5, 7.5) for number in range(6)]
    add(films, table(tmp_path / "one.csv", "session_id,device_time,logged_time,time,status,gaze_x,gaze_y", rows))
    seen = [(20, 10)]
    assert fixations(tmp_path, "one") == [seen, EMPTY, seen, seen, seen, seen]


def test_a_missing_column_has_the_name_that_the_export_gives_it(tmp_path):
    path = table(tmp_path / "one.csv", "device_time,logged_time,time,gaze_x,other", [(0, 0, 1, 2, 3)])
    with pytest.raises(UserError, match="one.csv: has no column left_gaze_y or gaze_y. It has .*, other. Export"):
        read_gaze([path])


def test_names_of_columns_without_a_table_are_told(tmp_path, caplog):
    path = tmp_path / "diem1s04_one.txt"
    path.write_text("1 10.5 20.5 900 1 11.5 21.5 900 -1\n")
    read_gaze([path], {"x": "gx"})
    assert caplog.messages == ["--columns: has no effect, because the gaze is in formats with names of their own."]


def test_event_files_of_diem_are_of_a_screen_with_the_film_in_its_middle(films, add, tmp_path):
    for observer, x in (("diem1s04", 20), ("diem1s05", 50)):
        left, top = (1280 - 64) / 2, (960 - 36) / 2
        lines = []
        for frame in range(1, 19):  # 30 a second: three of them in a frame of the film
            event = 0 if 10 <= frame <= 12 else 2 if frame > 15 else 1
            lines.append(f"{frame} {left + x} {top + 10} 900.5 {event} {left + x + 1} {top + 11} 901 {event}")
        path = tmp_path / "DIEM" / "one" / "event_data" / f"{observer}_one.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
    said = add(films, tmp_path / "DIEM")
    both = [(20, 10), (50, 10)]
    assert fixations(tmp_path, "one") == [both, both, both, EMPTY, both, EMPTY]
    assert "DIEM: pixels of a screen of 1280x960, the film unscaled, samples within fixations" in said


def bids(folder: Path, subject: str, x: float, eye: str = "eye1", recorded: str = "left") -> None:
    stem = f"sub-{subject}_task-films"
    path = folder / f"sub-{subject}" / "beh"
    path.mkdir(parents=True, exist_ok=True)
    rows = [
        (7186000 + round(1000 * t), *(("n/a", "n/a") if t >= 1 and blink(t - 1) else (x, 20.0)), 4612.0)
        for t in (*SAMPLES, *(1 + t for t in SAMPLES))
    ]
    text = "".join("\t".join(map(str, row)) + "\n" for row in rows)
    (path / f"{stem}_recording-{eye}_physio.tsv.gz").write_bytes(gzip.compress(text.encode()))
    about = {
        "Columns": ["timestamp", "x_coordinate", "y_coordinate", "pupil_size"],
        "RecordedEye": recorded,
        "StartTime": -0.5,
    }
    (path / f"{stem}_recording-{eye}_physio.json").write_text(json.dumps(about))
    table(
        path / f"{stem}_events.tsv",
        "onset,duration,trial_type,stim_file",
        [(0.5, 0.6, "film", "films/two.mp4"), (2, 1, "rest", "n/a")],
        "\t",
    )


def shared_by_all_of_bids(folder: Path) -> None:
    folder.mkdir()
    (folder / "README.txt").write_text("Eye tracking of films.\n")
    (folder / "dataset_description.json").write_text("{}")
    pixels = {"Units": "pixel"}
    about = {"PhysioType": "eyetrack", "SamplingFrequency": 50, "timestamp": {"Units": "ms"}}
    (folder / "task-films_physio.json").write_text(json.dumps(about | {"x_coordinate": pixels, "y_coordinate": pixels}))
    screen = {"ScreenResolution": [128, 72], "ScreenSize": [0.474, 0.297], "ScreenDistance": 0.7}
    (folder / "task-films_events.json").write_text(json.dumps({"StimulusPresentation": screen}))
    table(folder / "participants.tsv", "participant_id,age", [("sub-01", 30)], "\t")


def test_eye_tracking_in_bids_takes_what_its_json_tells(films, add, tmp_path):
    shared_by_all_of_bids(tmp_path / "bids")
    bids(tmp_path / "bids", "01", 40.0)
    bids(tmp_path / "bids", "02", 90.0)
    bids(tmp_path / "bids", "02", 100.0, "eye3", "cyclopean")
    said = add(films, tmp_path / "bids")
    both = [(20, 10), (50, 10)]
    assert fixations(tmp_path, "two") == [both] * 3 + [EMPTY] + [both] * 2
    assert "BIDS: pixels of a screen of 128x72, the film fills it, samples, times from events; sigma: 1.6" in said
    assert said.endswith("of 2 observers.\n")


def test_messages_of_the_tracker_in_bids_tell_films_and_damage_is_told(films, add, tmp_path):
    shared_by_all_of_bids(tmp_path / "bids")
    bids(tmp_path / "bids", "01", 40.0)
    (events,) = tmp_path.glob("bids/sub-01/beh/*_events.tsv")
    events.unlink()
    messages = '7185000\tn/a\t"RECCFG CR 1000 2 0 R"\n7187000\tn/a\t"VIDEO_START one.mp4"\n'
    path = events.with_name("sub-01_task-films_recording-eye1_physioevents.tsv.gz")
    path.write_bytes(gzip.compress(messages.encode()))
    assert "times from messages of the film's start" in add(films, tmp_path / "bids")
    assert fixations(tmp_path, "one") == WITH_BLINK
    (gaze,) = events.parent.glob("*_physio.tsv.gz")
    gaze.write_bytes(gaze.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"_physio.tsv.gz: cannot be read"):
        read_gaze([gaze])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"SamplingFrequency": "fast"}, "SamplingFrequency or StartTime of its .json is not a number"),
        ({"Columns": ["timestamp", "pupil_size"]}, "has no x_coordinate and y_coordinate, but timestamp, pupil_size"),
        ({"Columns": None}, "no .json states its Columns"),
        ({"x_coordinate": {"Units": "degree"}}, "positions are in degree, not in pixels"),
        ({"timestamp": {"Units": "ticks"}}, "no .json states the unit of timestamp"),
        ({"Columns": ["timestamp", "x_coordinate", "y_coordinate", "a", "b"]}, "line 1: has 4 fields"),
    ],
)
def test_bids_that_does_not_tell_enough_is_refused(tmp_path, change, fault):
    shared_by_all_of_bids(tmp_path / "bids")
    bids(tmp_path / "bids", "01", 40.0)
    (sidecar,) = tmp_path.glob("bids/sub-01/beh/*_physio.json")
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | {"PhysioType": "eyetrack"} | change))
    with pytest.raises(UserError, match=f"_physio.tsv.gz.*{fault}"):
        read_gaze([tmp_path / "bids"])


def test_a_table_of_gaze_may_have_the_name_of_another_file(tmp_path):
    for name in ("info", "participants", "gaze", "fixations"):
        table(tmp_path / f"{name}.csv", "video,participant_id,name,key,time,x,y", [("one", 1, "n", "k", 0.5, 1, 2)])
    assert read_gaze([tmp_path]).num_rows == 4


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"SR_RESEARCH_COMBO_FILE\n\x00", "is EyeLink's own format. Convert it to .asc with edf2asc"),
        (b"PK\x03\x04" + bytes(50), "is a workbook or an archive. Save the workbook's table as CSV"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "is HDF5. Export its eye samples as CSV"),
        (gzip.compress(b"time,x,y\n", mtime=0), "is compressed. Unpack it"),
    ],
)
def test_files_that_are_no_text_are_refused_with_the_way_to_convert_them(tmp_path, content, fault):
    (tmp_path / "P01.dat").write_bytes(content)
    with pytest.raises(UserError, match=f"P01.dat: {fault}"):
        read_gaze([tmp_path / "P01.dat"])


def test_an_export_that_excel_has_saved_again_is_still_known(films, add, tmp_path):
    rows = [(f"one;{t:.2f};0,32;0,29;1".replace("0.", "0,").split(";")) for t in SAMPLES]
    path = table(tmp_path / "User 3_all_gaze.csv", "MEDIA_NAME,TIME(2024),BPOGX,BPOGY,BPOGV", rows, ";")
    path.write_bytes(b"\xef\xbb\xbfsep=;\r\n" + path.read_bytes())
    assert "Gazepoint: fraction of the film, samples" in add(films, path)
    assert fixations(tmp_path, "one") == [[(20, 10)]] * 6
