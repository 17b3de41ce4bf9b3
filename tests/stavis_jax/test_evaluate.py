import csv
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_pipelines.raw.layout import RawLayout
from stavis_jax import evaluate
from stavis_jax.maps.map_folders import MapFolder
from stavis_jax.scoring.protocol import PredictedVideo, score_video

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
    run(tree, "--splits", "1", "3")
    assert (
        "warning: 2 test videos have no maps and are left out: Coutrot_db1/cvid_1 (split 1)" in capsys.readouterr().err
    )


def test_black_maps_give_null_and_a_warning(tree, capsys):
    for path in (tree / "preds/split3_results/coutrot1/cvid_4").iterdir():
        Image.fromarray(np.zeros((112, 112), np.uint8)).save(path)
    run(tree, "--splits", "3", "--name", "black")
    results = json.loads((tree / "scores/results.json").read_text())
    assert results["methods"]["black"] == dict.fromkeys(["CC", "NSS", "AUC-J", "sAUC", "SIM", "KL"])
    warnings = capsys.readouterr().err
    assert "1 videos have a metric without a value" in warnings
    assert "warning: 3 maps are black everywhere: no metric has a value there: Coutrot_db1/cvid_4 (split 3)" in warnings


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--predictions", "nowhere"], "error: --predictions nowhere: no such folder"),
        (["--data", "nowhere"], "error: nowhere: has no folder video_frames"),
        (["--splits", "1,4"], "error: --splits: '4' is not known, choose from 1, 2, 3"),
        (["--splits", "one"], "error: --splits: 'one' is not known, choose from 1, 2, 3"),
        (["--splits", "1"], "holds no map of a test video of"),
        (["--databases", "DIEM"], "error: databases: 'DIEM' has no frames"),
        (["--splits", "3", "--first-frame", "12"], "no map belongs to a frame from 12 on"),
        (["--first-frame", "0"], "error: --first-frame: expected a whole number of 1 or more"),
        (["--workers", "0"], "error: --workers: expected a whole number of 1 or more"),
        (["--seed", "-1"], "error: --seed: expected a whole number of 0 or more"),
        (["--sigma-pixels", "0"], "error: --sigma-pixels 0.0: expected a number from "),
        (["--baselines", "centre"], "error: --baselines: 'centre' is not known, choose from center-bias, "),
        (["--baselines", "uniform", "--name", "uniform"], "error: --name uniform: a baseline has this name"),
        (["--splits", "3", "--compare", "nowhere"], "error: --compare nowhere: no such folder"),
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


@pytest.mark.parametrize("is_chosen", [False, True])
def test_data_of_one_database_take_maps_without_a_database_folder(tree, is_chosen):
    if is_chosen:
        for folder in ("annotations", "video_frames"):
            shutil.copytree(tree / "data" / folder / "Coutrot_db1", tree / "data" / folder / "Other")
    (tree / "preds/split3_results/coutrot1").rename(tree / "flat")
    shutil.rmtree(tree / "preds")
    (tree / "flat").rename(tree / "preds")
    run(tree, "--splits", "3", "--workers", "1", *(["--databases", "Coutrot_db1"] if is_chosen else []))
    (video,) = json.loads((tree / "scores/results.json").read_text())["videos"]
    assert video["video"] == "cvid_4"


def test_coloured_maps_and_maps_of_unknown_films_are_counted(tree, capsys):
    maps = tree / "preds/split3_results/coutrot1/cvid_4"
    pixels = np.random.default_rng(0).integers(0, 256, (112, 112, 3)).astype(np.uint8)
    (maps / "pred_sal_000010.jpg").unlink()
    Image.fromarray(pixels).save(maps / "pred_sal_000010.png")
    shutil.copytree(maps, maps.parent / "holiday")
    run(tree, "--splits", "3", "--workers", "1")
    warnings = capsys.readouterr().err
    assert "warning: 1 maps are coloured: only their red channel is scored: Coutrot_db1/cvid_4 (split 3)" in warnings
    assert "folders belong to no test video and are left out: " in warnings
    assert "split3_results/coutrot1/holiday" in warnings


def test_film_without_annotations_is_counted(tree, capsys):
    for path in (tree / "data/annotations/Coutrot_db1/cvid_4").glob("fixMap_0001*.mat"):
        path.unlink()
    run(tree, "--splits", "3", "--workers", "1")
    assert "frames have no annotation and are left out: Coutrot_db1/cvid_4 (split 3)" in capsys.readouterr().err


def test_baselines_stand_beside_the_maps_and_the_uniform_ones_gaps_are_explained(tree, capsys):
    training = tree / "data/fold_lists/Coutrot_db1_list_train_3_fps.txt"
    training.write_text("cvid_1 15 25\n")
    run(tree, "--splits", "3", "--workers", "1", "--name", "mine", "--baselines", "center-bias,uniform,single-observer")
    results = json.loads((tree / "scores/results.json").read_text())
    assert list(results["methods"]) == ["center-bias", "uniform", "mine"]
    uniform = results["methods"]["uniform"]
    assert uniform["CC"] is uniform["NSS"] is uniform["sAUC"] is uniform["SIM"] is uniform["IG"] is None
    assert 0.5 < uniform["AUC-J"] < 0.6
    assert results["methods"]["center-bias"]["IG"] == 0 != results["methods"]["mine"]["IG"]
    output = capsys.readouterr()
    assert "uniform: CC, NSS, both sAUC, SIM and IG have no value" in output.out
    assert "warning: single-observer: 1 videos have no observers.csv: Coutrot_db1/cvid_4" in output.err


def test_observers_are_scored_where_they_are_known(tree):
    rng = np.random.default_rng(0)
    lines = [f"o{i},{n},{40 + rng.normal(0, 5)},{30 + rng.normal(0, 5)}" for n in range(9, 12) for i in range(4)]
    table = tree / "data/annotations/Coutrot_db1/cvid_4/observers.csv"
    table.write_text("\n".join(["observer,frame,x,y", *lines]) + "\n")
    names = ["single-observer", "all-others", "infinite-observers"]
    run(tree, "--splits", "3", "--workers", "1", "--name", "mine", "--baselines", ",".join(names))
    methods = json.loads((tree / "scores/results.json").read_text())["methods"]
    assert list(methods) == [*names, "mine"]
    assert methods["single-observer"]["NSS"] > 0


def test_no_training_lists_mean_no_information_gain_and_a_line_that_says_so(tree, capsys):
    run(tree, "--splits", "3", "--workers", "1", "--baselines", "center-bias")
    assert "warning: no information gain and no center-bias: " in capsys.readouterr().err
    assert "IG" not in json.loads((tree / "scores/results.json").read_text())["videos"][0]


@pytest.mark.parametrize("other", ["maps", "results"])
def test_two_result_sets_are_compared_film_by_film(tree, capsys, other):
    shutil.copytree(tree / "preds", tree / "better")
    for path in (tree / "better/split3_results/coutrot1/cvid_4").iterdir():
        number = int(path.stem[-6:])
        density = tree / f"data/annotations/Coutrot_db1/cvid_4/maps/eyeMap_{number:05d}.jpg"
        if density.is_file():
            shutil.copy(density, path)
    if other == "results":
        run(tree, "--splits", "3", "--workers", "1")
        (tree / "scores").rename(tree / "earlier")
    compared = tree / ("preds" if other == "maps" else "earlier")
    flags = ["--predictions", tree / "better", "--compare", compared, "--splits", "3", "--workers", "1"]
    run(tree, *map(str, flags))
    rows = json.loads((tree / "scores/comparison.json").read_text())["differences"]
    signs = {row["metric"]: (row["mean"] > 0, row["better"]) for row in rows if row["database"] == "Coutrot_db1"}
    assert signs["CC"] == (True, 1) and signs["KL"] == (False, 1)
    with open(tree / "scores/comparison.csv", newline="") as file:
        assert {row["database"] for row in csv.DictReader(file)} == {"Coutrot_db1", "all films"}
    out = capsys.readouterr().out
    assert f"minus {compared.name}, film by film" in out and "worse" in out
    (cc,) = [line.split() for line in out.splitlines() if line.split()[:2] == ["CC", "1"]]
    assert cc[5:] == ["1", "0", "0", "1"]  # better, worse, equal, p


def test_sampled_estimators_scatter_around_the_exact_ones(tree):
    run(tree, "--splits", "3", "--workers", "1", "--name", "m")
    exact = json.loads((tree / "scores/results.json").read_text())["methods"]["m"]
    run(tree, "--splits", "3", "--workers", "1", "--name", "m", "--estimators", "sampled", "--seed", "3")
    content = json.loads((tree / "scores/results.json").read_text())
    assert content["estimators"] == {"kind": "sampled", "seed": 3}
    sampled = content["methods"]["m"]
    assert sampled["CC"] == exact["CC"] and sampled["sAUC"] != exact["sAUC"]
    assert sampled["sAUC"] == pytest.approx(exact["sAUC"], abs=0.05)
    assert sampled["AUC-J"] == pytest.approx(exact["AUC-J"], abs=0.05)


def test_maps_numbered_from_0_are_told(tree, capsys):
    maps = tree / "preds/split3_results/coutrot1/cvid_4"
    for path in sorted(maps.iterdir()):
        number = int(path.stem.rpartition("_")[2])
        path.rename(maps / f"{number - 9:06d}{path.suffix}")
    run(tree, "--splits", "3")
    expected = "1 videos have a map of frame 0, but numbers start at 1, so their scores may be a frame off"
    assert expected in capsys.readouterr().err
    assert expected in (tree / "scores/report.html").read_text(encoding="utf-8")


def test_folders_of_systems_beside_maps_are_not_mentioned(tree, capsys):
    root = tree / "preds/split3_results"
    for folder in (tree / "preds", root, root / "coutrot1", root / "coutrot1/cvid_4"):
        (folder / "@eaDir").mkdir()
        (folder / "Thumbs.db").touch()
        (folder / "._000009.png").touch()
    run(tree, "--splits", "3")
    assert "1 folders belong to no test video and are left out: split3_results/diem" in capsys.readouterr().err


def test_gaze_and_earlier_results_may_begin_with_a_byte_order_mark(tree, capsys):
    run(tree, "--splits", "3", "--name", "mine")
    results = tree / "scores/results.json"
    results.write_bytes(results.read_text(encoding="utf-8").encode("utf-16"))
    observers = tree / "data/annotations/Coutrot_db1/cvid_4/observers.csv"
    observers.write_bytes("observer,frame,x,y\r\na,9,1,1\r\nb,9,2,2\r\n".encode("utf-16"))
    flags = ["--baselines", "single-observer", "--compare", str(results)]
    run(tree, "--splits", "3", "--name", "again", *flags)
    assert "mine" in capsys.readouterr().out
