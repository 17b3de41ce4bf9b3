import json
import math

import numpy as np
import pytest

from data_pipelines.runtime.errors import UserError
from stavis_jax.reports.results_files import write_results
from stavis_jax.reports.results_reader import read_film_scores, read_frame_scores
from stavis_jax.scoring.aggregation import VideoScores, aggregate
from stavis_jax.scoring.frame_scores import ALL_METRICS


def made_up(seed: int) -> list[VideoScores]:
    rng = np.random.default_rng(seed)
    videos = []
    for number in range(6):
        values = {metric: rng.uniform(0.3, 0.5, 6) for metric in ALL_METRICS}
        values["IG"][2] = np.nan
        videos.append(VideoScores("Synthetic", 1, f"film_{number}", np.arange(9, 15), values))
    return videos


def test_scores_are_read_as_they_were_written_with_and_without_values(tmp_path):
    videos = made_up(0)
    videos[0].values["sAUC"][:] = np.nan
    del videos[1].values["IG"]
    write_results(tmp_path, {"a": aggregate(videos), "b": aggregate(made_up(1))})
    read = read_frame_scores(tmp_path)
    assert read.keys() == {"a", "b"}
    for ours, theirs in zip(read["a"], videos, strict=True):
        assert (ours.database, ours.split, ours.video) == (theirs.database, theirs.split, theirs.video)
        assert ours.values.keys() == theirs.values.keys()
        np.testing.assert_array_equal(ours.frames, theirs.frames)
        for metric, values in theirs.values.items():
            np.testing.assert_array_equal(ours.values[metric], values)
    (tmp_path / "frames.csv").write_text("method\na\n")
    with pytest.raises(UserError, match="holds no scores that can be read"):
        read_frame_scores(tmp_path)


def test_results_file_is_read_by_method(tmp_path):
    rows = [
        {"method": m, "database": "AVAD", "video": "a", "split": 1, "CC": cc, "KL": None}
        for m, cc in (("one", 0.25), ("two", 0.5))
    ]
    (tmp_path / "results.json").write_text(json.dumps({"videos": rows}))
    scores = read_film_scores(tmp_path, "two")
    assert scores["AVAD", "a"]["CC"] == 0.5 and math.isnan(scores["AVAD", "a"]["KL"])
    with pytest.raises(UserError, match="one, two.*--compare-method"):
        read_film_scores(tmp_path)
    (tmp_path / "results.json").write_text("{}")
    with pytest.raises(UserError, match=r"results\.json: not a"):
        read_film_scores(tmp_path / "results.json")


def test_a_score_too_large_for_a_float_is_refused(tmp_path):
    row = {"method": "one", "database": "AVAD", "video": "a", "split": 1, "CC": 10**400}
    (tmp_path / "results.json").write_text(json.dumps({"videos": [row]}))
    with pytest.raises(UserError, match=r"results\.json: not a results.json \(int too large"):
        read_film_scores(tmp_path)
