import numpy as np
import pytest

from benchmarks.jobs import scoring
from benchmarks.plan import QUICK
from benchmarks.session import Session
from data_pipelines.runtime.errors import UserError
from stavis_jax.metrics import postprocess
from stavis_jax.scoring.frame_scores import METRICS, score_frame


def test_made_up_frames_are_scored_as_the_project_scores_them():
    ((prediction, density_map, *gaze),) = scoring.frames(1)
    (found,) = scoring.ours(num_frames=1)()
    assert tuple(METRICS) == scoring.METRICS and all(np.isfinite(found))
    scores = score_frame(postprocess(prediction, density_map.shape), density_map, *gaze)
    assert dict(zip(scoring.METRICS, found, strict=True)) == {metric: scores[metric] for metric in METRICS}


def test_missing_pysaliency_leaves_the_job_out_and_says_where_to_read(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(__import__("sys").modules, "pysaliency.metrics", None)
    with pytest.raises(UserError, match="pysaliency is not installed") as missing:
        scoring.theirs(num_frames=1)

    def fail(*_):
        raise missing.value

    monkeypatch.setattr(scoring, "_compare", fail)
    assert scoring.measure(Session(QUICK, tmp_path)) == {}
    assert "Scoring is left out: pysaliency is not installed. benchmarks/jobs/scoring.py" in capsys.readouterr().err


@pytest.mark.slow
def test_section_holds_the_ratios_of_one_process_and_of_two(monkeypatch, tmp_path):
    """Our own metrics stand for pysaliency's."""
    monkeypatch.setattr(scoring, "FRAMES_PER_CALL", 1)
    worker = scoring._worker
    monkeypatch.setattr(
        scoring, "_worker", lambda function, **arguments: worker(function.replace("theirs", "ours"), **arguments)
    )
    ((title, text),) = scoring.measure(Session(QUICK, tmp_path)).items()
    assert title == "Scoring"
    assert "| ours in one process | " in text and "| ours in two processes | " in text
    assert "Largest differences of the values: CC 0, NSS 0, AUC-J 0, sAUC 0, SIM 0" in text
