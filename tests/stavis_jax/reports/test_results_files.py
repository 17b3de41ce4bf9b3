import csv
import json

import numpy as np
import pytest

from stavis_jax.reports.results_files import write_results
from stavis_jax.scoring.aggregation import VideoScores, aggregate
from stavis_jax.scoring.frame_scores import METRICS


@pytest.fixture
def results():
    values = {metric: np.array([0.25, 0.75]) for metric in METRICS}
    values["sAUC"] = np.array([np.nan, np.nan])
    values["NSS"] = np.array([1.5, np.nan])
    return aggregate([VideoScores("AVAD", 2, "film, one", np.array([9, 10]), values)])


def test_json_holds_methods_databases_and_videos_with_null_for_nan(tmp_path, results):
    content = write_results(tmp_path / "new", {"ours": results}, {"seed": 7})
    assert json.loads((tmp_path / "new/results.json").read_text()) == content
    means = {"CC": 0.5, "NSS": 1.5, "AUC-J": 0.5, "sAUC": None, "SIM": 0.5}
    assert content["methods"] == {"ours": means}
    assert content["databases"] == {"AVAD": {"ours": means}}
    assert content["videos"] == [
        {"method": "ours", "database": "AVAD", "split": 2, "video": "film, one", "frames": 2, **means}
    ]
    assert content["seed"] == 7


def test_csv_files_have_a_line_a_video_and_a_line_a_frame(tmp_path, results):
    write_results(tmp_path, {"ours": results})
    with open(tmp_path / "results.csv", newline="") as file:
        (video,) = csv.DictReader(file)
    assert (video["method"], video["video"], video["frames"], video["CC"], video["sAUC"]) == (
        "ours",
        "film, one",
        "2",
        "0.5",
        "",
    )
    with open(tmp_path / "frames.csv", newline="") as file:
        frames = list(csv.DictReader(file))
    assert [(frame["frame"], frame["CC"], frame["NSS"]) for frame in frames] == [
        ("9", "0.25", "1.5"),
        ("10", "0.75", ""),
    ]


def test_intervals_over_films_are_written(tmp_path):
    videos = [
        VideoScores("AVAD", 1, name, np.array([9]), {metric: np.array([value]) for metric in METRICS})
        for name, value in (("a", 0.2), ("b", 0.4), ("c", 0.9))
    ]
    content = write_results(tmp_path, {"ours": aggregate(videos)})
    low, high = content["intervals"]["databases"]["AVAD"]["ours"]["CC"]
    assert 0.2 <= low < 0.5 < high <= 0.9
    assert content["intervals"]["methods"]["ours"]["CC"] == [low, high]
    with open(tmp_path / "databases.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["database"] for row in rows] == ["AVAD", "mean of databases"]
    assert float(rows[0]["CC low"]) == low and float(rows[0]["CC high"]) == high


def test_no_partial_file_is_left(tmp_path, results):
    write_results(tmp_path, {"ours": results})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "databases.csv",
        "frames.csv",
        "results.csv",
        "results.json",
    ]
