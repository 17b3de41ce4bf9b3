import csv
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_pipelines.raw_layout import RawLayout
from stavis_jax import evaluate
from stavis_jax.metrics.prediction_files import MapFolder
from stavis_jax.metrics.protocol import PredictedVideo, score_video

GOLDEN_METRICS = Path(__file__).parents[1] / "golden_metrics"
GOLDEN_NAME = {"AUC-J": "AUC_Judd_expected", "sAUC": "sAUC_exact"}  # others: the same name
VIDEO_ATOL = {"CC": 1e-9, "SIM": 1e-9, "NSS": 1e-9, "AUC-J": 5e-6, "sAUC": 1e-9}  # the golden README's
FRAME_ATOL = {**VIDEO_ATOL, "NSS": 1e-8}


@pytest.fixture(scope="session")
def golden():
    return json.loads((GOLDEN_METRICS / "video.json").read_text())


@pytest.fixture(scope="session")
def golden_tree(tmp_path_factory):
    """The videos scored by the original's scripts: data and preds. The films' pictures play no part."""
    root = tmp_path_factory.mktemp("video_tree")
    with zipfile.ZipFile(GOLDEN_METRICS / "video_tree.zip") as archive:
        archive.extractall(root)
    for video in (root / "data/annotations").glob("*/*"):
        (root / "data/video_frames" / video.parent.name / video.name).mkdir(parents=True)
    return root


@pytest.fixture
def tree(golden_tree, tmp_path):
    """One split of one database, to be changed."""
    for folder in ("annotations/Coutrot_db1", "fold_lists", "video_frames/Coutrot_db1"):
        shutil.copytree(golden_tree / "data" / folder, tmp_path / "data" / folder)
    shutil.copytree(golden_tree / "preds/split3_results", tmp_path / "preds/split3_results")
    return tmp_path


@pytest.fixture(scope="session")
def golden_run(golden_tree):
    """The command, once, over everything."""
    run(golden_tree, "--name", "original", "--workers", "2")
    return golden_tree / "scores"


def run(root, *flags):
    arguments = ["--predictions", root / "preds", "--data", root / "data", "--output", root / "scores"]
    evaluate.main([str(argument) for argument in arguments] + list(flags))


def close(found, expected, tolerance):
    return found is None if expected is None else found == pytest.approx(expected, abs=tolerance, rel=0)


def test_every_frame_agrees_with_the_original(golden_run, golden):
    with open(golden_run / "frames.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for key, video in golden["videos"].items():
        database, split, name = key.split("/")
        ours = [r for r in rows if (r["database"], f"split{r['split']}", r["video"]) == (database, split, name)]
        frames = video["per_frame"]
        assert [int(row["frame"]) for row in ours] == frames["frame"]
        for metric, tolerance in FRAME_ATOL.items():
            for row, expected in zip(ours, frames[GOLDEN_NAME.get(metric, metric)], strict=True):
                found = float(row[metric]) if row[metric] else None
                assert close(found, expected, tolerance), (key, row["frame"], metric)
    assert len(rows) == sum(len(video["per_frame"]["frame"]) for video in golden["videos"].values())


def test_every_video_agrees_with_the_original(golden_run, golden):
    videos = json.loads((golden_run / "results.json").read_text())["videos"]
    ours = {f"{video['database']}/split{video['split']}/{video['video']}": video for video in videos}
    assert ours.keys() == golden["videos"].keys()
    for key, video in golden["videos"].items():
        expected = {**video["video_mean"], **video["video_mean_derived"]}
        for metric, tolerance in VIDEO_ATOL.items():
            assert close(ours[key][metric], expected[GOLDEN_NAME.get(metric, metric)], tolerance), (key, metric)


def test_every_database_agrees_with_the_original(golden_run, golden):
    results = json.loads((golden_run / "results.json").read_text())
    for name, database in golden["databases"].items():
        expected = {**database["final"], **database["derived"]}
        for metric, tolerance in VIDEO_ATOL.items():
            found = results["databases"][name]["original"][metric]
            assert close(found, expected[GOLDEN_NAME.get(metric, metric)], tolerance), (name, metric)
    for metric, overall in results["methods"]["original"].items():
        of_databases = [database["original"][metric] for database in results["databases"].values()]
        assert overall == pytest.approx(np.mean(of_databases), abs=1e-12)


def test_maps_and_annotations_decode_as_in_the_original(golden_tree):
    with np.load(GOLDEN_METRICS / "video.npz") as arrays:
        maps = MapFolder(golden_tree / "preds/split1_results/diem/dvid_a")
        assert sorted(maps) == arrays["pred_frame"].tolist()
        for number, expected in zip(arrays["pred_frame"], arrays["pred"], strict=True):
            assert np.array_equal(maps[number], expected)


def test_table_shows_databases_and_their_mean(tree, capsys):
    run(tree, "--splits", "3", "--name", "mine")
    out = capsys.readouterr().out
    assert "mine: 1 videos" in out and "Coutrot_db1" in out and "0.3807" in out  # the golden CC of cvid_4
    assert "mean of databases" not in out


def test_picture_without_a_frame_number_leaves_no_trace(tree, golden):
    maps = tree / "preds/split3_results/coutrot1/cvid_4"
    Image.fromarray(np.zeros((112, 112), np.uint8)).save(maps / "a_cover.jpg")
    run(tree, "--splits", "3")
    (video,) = json.loads((tree / "scores/results.json").read_text())["videos"]
    expected = golden["videos"]["Coutrot_db1/split3/cvid_4"]["video_mean"]["CC"]
    assert video["CC"] == pytest.approx(expected, abs=1e-9)


def test_maps_without_split_folders_serve_every_split(tree):
    for folder in (tree / "preds/split3_results").iterdir():
        folder.rename(tree / "preds" / folder.name)
    (tree / "preds/split3_results").rmdir()
    run(tree, "--splits", "3")
    videos = json.loads((tree / "scores/results.json").read_text())["videos"]
    assert [video["video"] for video in videos] == ["cvid_4"]


def test_missing_maps_are_counted_and_named(tree, capsys):
    (tree / "preds/split3_results/coutrot1/cvid_4/pred_sal_000010.jpg").unlink()
    run(tree)
    warnings = capsys.readouterr().err
    assert "warning: 3 test videos have no maps and are left out: Coutrot_db1/cvid_1 (split 1)" in warnings
    assert "warning: 1 frames have no map and are left out: Coutrot_db1/cvid_4 (split 3)" in warnings


def test_video_with_an_empty_folder_counts_as_one_without_maps(tree, capsys):
    (tree / "preds/split1_results/coutrot1/cvid_1").mkdir(parents=True)
    run(tree, "--splits", "1,3")
    assert (
        "warning: 2 test videos have no maps and are left out: Coutrot_db1/cvid_1 (split 1)" in capsys.readouterr().err
    )


def test_black_maps_give_null_and_a_warning(tree, capsys):
    for path in (tree / "preds/split3_results/coutrot1/cvid_4").iterdir():
        Image.fromarray(np.zeros((112, 112), np.uint8)).save(path)
    run(tree, "--splits", "3", "--name", "black")
    results = json.loads((tree / "scores/results.json").read_text())
    assert results["methods"]["black"] == dict.fromkeys(["CC", "NSS", "AUC-J", "sAUC", "SIM"])
    assert "1 videos have a metric without a value" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--predictions", "nowhere"], "error: --predictions nowhere: there is no such folder"),
        (["--data", "nowhere"], "error: nowhere: has no folder video_frames"),
        (["--splits", "1,4"], "error: --splits 1,4: expected some of 1, 2, 3"),
        (["--splits", "one"], "error: --splits one: expected some of 1, 2, 3"),
        (["--splits", "1"], "holds no map of a test video of"),
        (["--databases", "DIEM"], "error: databases: 'DIEM' has no frames"),
        (["--splits", "3", "--first-frame", "12"], "no map belongs to a frame from 12 on"),
        (["--first-frame", "0"], "error: --first-frame 0: expected 1 or more"),
        (["--workers", "0"], "error: --workers 0: expected 1 or more"),
    ],
)
def test_wrong_flags_end_with_one_line_and_no_output(tree, flags, message):
    with pytest.raises(SystemExit) as end:
        run(tree, *flags)
    assert message in end.value.code and "\n" not in end.value.code
    assert not (tree / "scores").exists()


def test_film_shorter_than_nine_frames_is_left_out_with_a_warning(tree, capsys):
    names = tree / "data/fold_lists/Coutrot_db1_list_test_3_fps.txt"
    names.write_text(names.read_text() + "short 8 25\n")
    shutil.copytree(tree / "preds/split3_results/coutrot1/cvid_4", tree / "preds/split3_results/coutrot1/short")
    for folder in ("annotations", "video_frames"):
        shutil.copytree(tree / f"data/{folder}/Coutrot_db1/cvid_4", tree / f"data/{folder}/Coutrot_db1/short")
    run(tree, "--splits", "3", "--workers", "1")
    assert "1 videos have no frame to score and are left out: Coutrot_db1/short" in capsys.readouterr().err
    (video,) = json.loads((tree / "scores/results.json").read_text())["videos"]
    assert video["video"] == "cvid_4"


def test_scoring_a_film_from_arrays_equals_scoring_its_files(golden_tree, golden_run):
    folder = MapFolder(golden_tree / "preds/split2_results/coutrot1/cvid_3")
    video = PredictedVideo("Coutrot_db1", 2, "cvid_3", 15, dict(folder))
    means = score_video(RawLayout(golden_tree / "data"), video).means()
    videos = json.loads((golden_run / "results.json").read_text())["videos"]
    (from_files,) = [video for video in videos if video["video"] == "cvid_3"]
    assert means == {metric: from_files[metric] for metric in means}
