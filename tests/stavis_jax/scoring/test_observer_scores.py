import numpy as np
import pytest

from data_pipelines.runtime.errors import UserError
from stavis_jax.scoring.observer_scores import (
    ALL_OTHERS,
    INFINITE_OBSERVERS,
    OBSERVER_BASELINES,
    SINGLE_OBSERVER,
    ObserverBaseline,
)
from stavis_jax.scoring.observers import read_observers
from stavis_jax.scoring.protocol import PredictedVideo

SHAPE = (48, 64)


def scored(kind, points, num_frames=1):
    baseline = ObserverBaseline(kind, first_frame=1, frame_step=1)
    return baseline.score(PredictedVideo("Own", 1, "film", num_frames, {}), points, SHAPE)


@pytest.fixture
def agreeing(rng):
    """Twelve observers on two frames, who look at about the same place."""
    places = {1: (10, 12), 2: (36, 50)}
    return {
        number: {f"o{i}": (np.array([place]) + rng.integers(-4, 5, (1, 2))) for i in range(12)}
        for number, place in places.items()
    }


def test_table_of_gaze_is_read_by_frame_and_observer(tmp_path):
    path = tmp_path / "observers.csv"
    path.write_text("observer,frame,x,y\na,1,3.4,2\na,1,60,40\nb,1,,\nb,2,99,2\nb,2,-0.4,0\nb,2,-3,0\n")
    points = read_observers(path, SHAPE)
    assert {number: {name: p.tolist() for name, p in row.items()} for number, row in points.items()} == {
        1: {"a": [[2, 3], [40, 60]]},
        2: {"b": [[0, 0]]},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [("observer,frame,x\n", "no column y"), ("observer,frame,x,y\na,one,2,3\n", "line 2: frame, x and y")],
)
def test_wrong_table_of_gaze_is_named(tmp_path, text, message):
    path = tmp_path / "observers.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=rf"observers\.csv.*{message}"):
        read_observers(path, SHAPE)


def test_more_observers_foretell_better(agreeing):
    one, rest, infinite = (
        scored(kind, agreeing, num_frames=2).means() for kind in (SINGLE_OBSERVER, ALL_OTHERS, INFINITE_OBSERVERS)
    )
    assert one["NSS"] < rest["NSS"] and one["CC"] < infinite["CC"] <= 1.01
    assert one["KL"] > infinite["KL"]


def test_observers_who_agree_wholly_reach_the_most_there_is():
    points = {1: {name: np.array([[20, 30]]) for name in "abcd"}}
    for kind in OBSERVER_BASELINES:
        means = scored(kind, points).means()
        assert means["CC"] == pytest.approx(1) and means["SIM"] == pytest.approx(1)
        assert means["AUC-J"] == pytest.approx(1)


def test_frames_with_too_few_observers_are_left_out():
    points = {1: {"a": np.array([[1, 1]])}, 2: {"a": np.array([[1, 1]]), "b": np.array([[5, 5]])}}
    assert scored(SINGLE_OBSERVER, points, num_frames=2).frames.tolist() == [2]
    assert scored(INFINITE_OBSERVERS, points, num_frames=2).frames.size == 0
