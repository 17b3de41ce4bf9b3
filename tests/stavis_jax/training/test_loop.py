"""The training loop on a small network: resuming, stopping, kept weights. A step of depth 10 on several devices."""

import functools
import json

import grain
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from rich.console import Console
from small_training import RATES, SmallNetwork

from data_pipelines.runtime.errors import UserError
from stavis_jax.models.stavis import NetworkConfig, Outputs
from stavis_jax.ops.backend_form import BackendForm
from stavis_jax.training import loop, optimizer, state_layout, step
from stavis_jax.training.batches.network_inputs import HOST_KEYS
from stavis_jax.training.devices import DataParallel
from stavis_jax.training.journal import SPEED
from stavis_jax.training.settings import TrainingSettings
from stavis_jax.weights.flat_names import new_network, read_network

SIZE, BATCH = 32, 8
pytestmark = pytest.mark.start_first


def make_batch(seed: int, count: int, size: int = SIZE) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "clip": rng.normal(0, 50, (count, 4, size, size, 3)).astype(np.float32),
        "waveform": np.zeros((count, 16), np.float32),
        "density": rng.uniform(0, 255, (count, size, size)).astype(np.float32),
        "fixations": (rng.random((count, size, size)) < 0.02).astype(np.float32),
        "weight": np.ones(count, np.float32),
        "film": np.arange(count, dtype=np.int32),
    }


def batches() -> grain.DatasetIterator:
    """Returns training batches whose position can be saved."""
    return iter(grain.MapDataset.range(1, 1000).map(lambda seed: make_batch(seed, 4)).to_iter_dataset())


@pytest.fixture(autouse=True)
def promotion_as_users_have_it():
    with jax.numpy_dtype_promotion("standard"):  # optax's schedules multiply a Python float and an integer step
        yield


@pytest.fixture(scope="module")
def network() -> SmallNetwork:
    return SmallNetwork(rngs=nnx.Rngs(0))


def recipe(**changes) -> TrainingSettings:
    settings = {"epochs": 2, "batch_size": 4, "effective_batch": 4, "learning_rate": 1e-3, "group_rates": RATES}
    return TrainingSettings(**settings | changes)


@pytest.fixture
def run(network, tmp_path):
    """Trains in tmp_path/NAME on one device; returns the trained arrays and the journal."""

    def train(name: str, recipe: TrainingSettings, validation=lambda: [make_batch(0, 4)], network=network):
        kept = {}
        trained = loop.train(
            network,
            recipe,
            loop.TrainingData(batches(), 2, validation),
            tmp_path / name,
            keep=lambda model, what: kept.update({what: read_network(model)}),
            devices=DataParallel(jax.devices()[:1]),
            console=Console(quiet=True),
        )
        lines = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        journal = [{key: value for key, value in line.items() if key not in SPEED} for line in lines]
        return read_network(trained), journal, kept

    return train


class CutError(Exception):
    pass


def cut_in_the_second_epoch():
    """Returns a validation that stops the training in its second pass."""
    passes = []

    def validation():
        passes.append(1)
        if len(passes) == 2:
            raise CutError
        return [make_batch(0, 4)]

    return validation


@pytest.mark.slow
@pytest.mark.parametrize("rule", [{}, {"optimizer": "adam", "schedule": "cosine", "average": 0.9}])
def test_training_that_was_cut_goes_on_as_if_it_never_was(rule, run):
    settings = recipe(epochs=3, effective_batch=12, **rule)  # the cut falls amid an accumulated gradient
    whole, whole_journal, _ = run("whole", settings)

    with pytest.raises(CutError):
        run("cut", settings, cut_in_the_second_epoch())
    resumed, resumed_journal, _ = run("cut", settings)
    assert [row["epoch"] for row in resumed_journal] == [1, 2, 3]
    assert resumed_journal == whole_journal
    for name in whole:
        np.testing.assert_array_equal(resumed[name], whole[name], err_msg=name)


@pytest.mark.slow
def test_a_training_goes_on_where_arrays_have_another_order(run, monkeypatch):
    """Checkpoints do not depend on the order of arrays that a GPU prefers."""
    whole, _, _ = run("whole", recipe())
    with monkeypatch.context() as on_gpu:
        on_gpu.setattr(loop, "place_state", functools.partial(state_layout.place_state, platform="gpu"))
        on_gpu.setattr(step, "state_formats", lambda like, devices, _: state_layout.state_formats(like, devices, "gpu"))
        with pytest.raises(CutError):
            run("cut", recipe(), cut_in_the_second_epoch())
    resumed, _, _ = run("cut", recipe())
    for name, array in whole.items():
        np.testing.assert_allclose(resumed[name], array, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.slow
def test_training_stops_without_a_better_loss_and_keeps_best_and_last(run):
    worse = iter(range(1, 100))
    last, journal, kept = run(
        "stops",
        recipe(epochs=50, patience=2),
        lambda: [make_batch(0, 4) | {"density": np.full((4, SIZE, SIZE), 2.0 * next(worse), np.float32)}],
    )
    assert len(journal) == 3  # the first epoch is the best, two more bring nothing
    assert kept.keys() == {"best", "last"}
    np.testing.assert_array_equal(kept["last"]["trunk/conv1/kernel"], last["trunk/conv1/kernel"])
    assert (kept["best"]["trunk/conv1/kernel"] != last["trunk/conv1/kernel"]).any()


@pytest.mark.slow
def test_patience_counts_from_its_share_of_the_epochs(run):
    worse = iter(range(1, 100))
    _, journal, _ = run(
        "waits",
        recipe(epochs=8, patience=2, patience_from=0.5),
        lambda: [make_batch(0, 4) | {"density": np.full((4, SIZE, SIZE), 2.0 * next(worse), np.float32)}],
    )
    assert len(journal) == 6


class NetworkWithSound(SmallNetwork):
    """A network whose logits ignore the sound, and whose hidden units of the sound have one value."""

    unit = 1.0

    def __call__(self, clip, waveform, *, train: bool = False) -> Outputs:
        hidden = jnp.ones((len(clip), 2, 2, 4)), jnp.full((len(clip), 4), self.unit)
        return super().__call__(clip, waveform, train=train)._replace(hidden=hidden)


class DeafNetwork(NetworkWithSound):
    unit = 0.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "active", "warning"),
    [
        (NetworkWithSound, 1.0, "ends: the sound hardly changes the maps: by 0.0e+00 standard deviations"),
        (DeafNetwork, 0.0, "ends: after epoch 1, no hidden unit of the localisation is active"),
    ],
)
def test_a_training_whose_sound_has_no_effect_warns_once_wherever_it_ends(run, caplog, kind, active, warning):
    batch = make_batch(0, 4) | {"waveform": np.ones((4, 16), np.float32)}
    worse = iter(range(1, 100))
    settings = recipe(epochs=50, patience=1)
    levels = ({"density": np.full((4, SIZE, SIZE), 2.0 * level, np.float32)} for level in worse)
    _, journal, _ = run("ends", settings, lambda: [batch | next(levels)], kind(rngs=nnx.Rngs(0)))
    assert [(line["sound_effect"], line["active_units"]) for line in journal] == [(0.0, active)] * 2
    messages = [record.message for record in caplog.records if record.name == "stavis_jax"]
    assert [message.startswith(warning) for message in messages] == [True]


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_with_one_line(run):
    with pytest.raises(UserError, match="the .* is (nan|inf) at step 2"):
        run("nan", recipe(learning_rate=1e30, epochs=3))


def test_effective_batch_that_is_no_multiple_is_refused():
    with pytest.raises(UserError, match="effective_batch=6: not a multiple of batch_size=4"):
        recipe(effective_batch=6)


def test_batch_that_does_not_split_over_the_devices_is_refused():
    with pytest.raises(UserError, match="batch_size=6: does not split evenly over 8 devices"):
        DataParallel().check_batch_size(6, "config.stages.visual.batch_size")


@pytest.mark.slow
def test_a_step_is_the_same_on_one_device_and_on_eight():
    network = new_network(NetworkConfig("visual", depth=10), seed=0, form=BackendForm.for_platform("tpu"))
    job, start = step.create(network, functools.partial(optimizer.sgd, 1e-3), RATES, effective_batch=BATCH)
    results = []
    for devices in (DataParallel(jax.devices()[:1]), DataParallel()):
        state = devices.replicate(start)
        train_step = jax.jit(functools.partial(step.train_step, job), out_shardings=devices.everywhere)
        batch = {name: array for name, array in make_batch(1, BATCH, 16).items() if name not in HOST_KEYS}
        state, values = train_step(state, devices.split_batch(batch), jnp.float32(0.5))
        results.append((read_network(job.network(state)), jax.device_get(values)))
    (one, one_values), (eight, eight_values) = results
    for name, value in one_values.items():
        # float32 sums in another order; the correlation of noise is near 0, so 1e-5 absolutely.
        np.testing.assert_allclose(eight_values[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
    for name, array in one.items():
        np.testing.assert_allclose(eight[name], array, rtol=1e-3, atol=1e-5, err_msg=name)
