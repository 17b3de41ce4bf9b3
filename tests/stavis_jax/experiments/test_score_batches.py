"""Prediction of a database: several devices give the maps of one, and no batch waits for the previous one."""

import jax
import numpy as np
import pytest
from made_checkpoints import weights_of_distinct_maps

from stavis_jax.experiments import score_batches
from stavis_jax.experiments.score_batches import clips_per_batch, predict_batches
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.ops.backend_form import TEXTBOOK
from stavis_jax.prediction.model import StavisModel

CONFIG, SAMPLES = NetworkConfig("l3mul-s3", 10), 13_000


def batches(number: int, batch_size: int) -> list[dict[str, np.ndarray]]:
    draw = np.random.default_rng(0).uniform
    return [
        {
            "clip": draw(-100, 150, (batch_size, 4, 16, 16, 3)).astype(np.float32),
            "waveform": draw(-200, 200, (batch_size, SAMPLES)).astype(np.float32),
            "number": np.full(batch_size, i),
        }
        for i in range(number)
    ]


@pytest.fixture(scope="module")
def weights():
    return weights_of_distinct_maps(CONFIG)


@pytest.mark.slow
@pytest.mark.full_optimization  # without it, some CPUs sum in another order in a loop over one clip
@pytest.mark.parametrize(
    ("form", "atol"),
    [(None, 0), (TEXTBOOK, 1e-5)],  # float32: batches of other sizes sum in another order
    ids=["clip by clip", "whole batches"],
)
def test_eight_devices_give_the_maps_of_one(weights, form, atol):
    model, inputs = StavisModel(CONFIG, weights, 16, form=form), batches(3, 8)
    one, eight = (list(predict_batches(model, inputs, jax.devices()[:count])) for count in (1, 8))
    assert [batch["number"][0] for batch, _ in eight] == [0, 1, 2]
    assert np.ptp(one[0][1]) > 0.05
    for (_, expected), (_, found), batch in zip(one, eight, inputs, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=atol)
        alone = jax.nn.sigmoid(model.saliency_logits(batch["clip"], batch["waveform"]))
        np.testing.assert_allclose(found, alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("batch_size", "used"), [(8, 8), (6, 2), (7, 1), (64, 8)])
def test_a_batch_is_split_over_as_many_devices_as_it_splits_over_evenly(batch_size, used):
    assert len(score_batches._devices(batch_size, None)) == used


def test_the_next_batch_is_sent_before_the_maps_of_the_previous_one_are_fetched(monkeypatch):
    events = []

    class Maps:
        def __init__(self, number):
            self.number = number

        def __array__(self, dtype=None, copy=None):
            events.append(f"fetch {self.number}")
            return np.zeros(1)

    class Predictor:
        def __init__(self, model, devices):
            pass

        def __call__(self, batch):
            events.append(f"send {batch['number'][0]}")
            return Maps(batch["number"][0])

    monkeypatch.setattr(score_batches, "_Predictor", Predictor)
    assert len(list(predict_batches(None, batches(3, 1)))) == 3
    assert events == ["send 0", "send 1", "fetch 0", "send 2", "fetch 1", "fetch 2"]


def test_no_batch_gives_no_maps():
    assert list(predict_batches(None, [])) == []


def test_batches_are_larger_on_accelerators(monkeypatch):
    assert (clips_per_batch(0), clips_per_batch(5)) == (8, 5)
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    assert (clips_per_batch(0), clips_per_batch(5)) == (32 * 8, 5)
