import numpy as np
import pytest

from benchmarks import evaluation
from data_pipelines.runtime.errors import UserError
from stavis_jax.metrics import postprocess
from stavis_jax.scoring.frame_scores import METRICS, score_frame


def test_made_up_frames_are_scored_as_the_project_scores_them():
    frame = evaluation.frames()[0]
    found = evaluation.ours(*frame)
    assert list(found) == list(METRICS) and all(np.isfinite(list(found.values())))
    prediction, density_map, *gaze = frame
    scores = score_frame(postprocess(prediction, density_map.shape), density_map, *gaze)
    assert found == {metric: scores[metric] for metric in METRICS}


def test_missing_pysaliency_is_one_line_that_says_where_to_read(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pysaliency.metrics", None)
    with pytest.raises(UserError, match="pysaliency: not installed here"):
        evaluation.measure(1)


def test_section_holds_the_ratio_of_one_process_and_of_two():
    found = {"load": 0.1, "ours": 0.008, "theirs": 0.04, "preparation": 0.001, "ratio": 5.0, "two processes": 1.5}
    text = evaluation.section(found | {f"difference {metric}": 1e-9 for metric in METRICS})
    assert "| ours, one process | 8.0 | 125 | 5.0 |" in text
    assert "| ours, two processes |  | 188 | 7.5 |" in text
