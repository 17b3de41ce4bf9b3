"""The accelerators' form of the network, asked for by one argument on a CPU, against the CPU's own form."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from made_checkpoints import weights_of_distinct_maps

import stavis_jax
from data_pipelines.inputs.windows import WAVEFORM_SAMPLES
from stavis_jax import BackendForm
from stavis_jax.models.soundnet import FEWEST_SAMPLES
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.ops.backend_form import TEXTBOOK
from stavis_jax.training import optimizer, parameter_groups, step
from stavis_jax.training.compute import Compute
from stavis_jax.training.devices import DataParallel
from stavis_jax.weights.directory import WeightsInfo, save_weights
from stavis_jax.weights.flat_names import network_from, new_network

CONFIG, SIZE = NetworkConfig("l3mul-s3", 10), 32
ATOL = 1e-4  # of logits: float32, sums in another order
GRADIENT_RTOL = 1e-2  # of a tensor's norm: ReLUs and max-pools may flip, as in the golden trainings
RATES = dict.fromkeys(parameter_groups.GROUPS, 0.1)


@pytest.fixture(scope="module")
def weights() -> dict[str, np.ndarray]:
    return weights_of_distinct_maps(CONFIG)


@pytest.fixture(scope="module")
def model_on(weights, tmp_path_factory):
    """Loads the network in the form for a platform."""
    folder = tmp_path_factory.mktemp("weights") / "stavis"
    save_weights(folder, weights, WeightsInfo.of_network(CONFIG, size=SIZE))
    return functools.cache(
        lambda platform: stavis_jax.load(folder, form=BackendForm.for_platform(platform, scoring=True))
    )


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["gpu", "tpu"])
def test_an_accelerators_model_keeps_whole_kernels_and_convolves_whole_videos(platform, model_on):
    model = model_on(platform)
    assert all(isinstance(array, jax.Array) for array in model.device_weights.values())
    shapes = jax.ShapeDtypeStruct((2, 16, SIZE, SIZE, 3), jnp.float32), jax.ShapeDtypeStruct((2, 35_280), jnp.float32)
    program = str(jax.make_jaxpr(model.saliency_logits)(*shapes))
    assert ("reduce_window_max" in program) == (platform == "tpu") and "scan[" not in program
    assert "scan[" in str(jax.make_jaxpr(model_on("cpu").saliency_logits)(*shapes))


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["gpu", "tpu"])
def test_scores_are_those_of_the_cpus_form(platform, model_on):
    draw = np.random.default_rng(1).normal
    clip = np.float32(50 * draw(size=(2, 16, SIZE, SIZE, 3)))
    waveform = np.float32(50 * draw(size=(2, WAVEFORM_SAMPLES)))
    ours, cpus = (model_on(name)(clip, waveform) for name in (platform, "cpu"))
    assert np.ptp(cpus.logits) > 0.1
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(cpus), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=ATOL)


@pytest.mark.slow
@pytest.mark.parametrize("stride", [1, 8])
def test_a_films_maps_are_those_of_the_cpus_form(stride, model_on):
    """With a stem that clips share, and clip by clip."""
    draw = np.random.default_rng(2)
    frames, waveform = draw.integers(0, 256, (12, SIZE, SIZE, 3), np.uint8), draw.normal(0, 50, 12_000)
    ours, cpus = (
        stavis_jax.predict_frames(frames, waveform, 22_050, 25, model_on(platform), batch_size=2, stride=stride)
        for platform in ("tpu", "cpu")
    )
    np.testing.assert_allclose(ours, cpus, rtol=0, atol=ATOL / 4)  # a sigmoid's slope


@pytest.fixture(scope="module")
def learned_on(weights):
    """Returns the gradients and the loss's terms of a training step in the form for a platform."""
    draw = np.random.default_rng(3)
    batch = {
        "clip": np.float32(draw.normal(0, 50, (2, 8, SIZE, SIZE, 3))),  # a frame adds to the CPU's program
        "waveform": np.float32(draw.normal(0, 50, (2, FEWEST_SAMPLES))),
        "density": np.float32(draw.uniform(0, 255, (2, SIZE, SIZE))),
        "fixations": np.float32(draw.uniform(size=(2, SIZE, SIZE)) > 0.95),
        "weight": np.ones(2, np.float32),
    }

    @functools.cache
    def learn(platform: str) -> tuple[dict, dict]:
        network = network_from(CONFIG, jax.tree.map(jnp.asarray, weights), BackendForm.for_platform(platform))
        job, state = step.create(network, functools.partial(optimizer.sgd, 0.1), RATES, effective_batch=2)
        gradients = jax.jit(functools.partial(step.loss_gradients, job))(state, batch, jnp.float32(0.5))
        return jax.device_get((nnx.to_pure_dict(gradients[0]), gradients[1]))

    return learn


@pytest.mark.slow
@pytest.mark.parametrize("accelerator", ["gpu", "tpu"])
def test_a_training_steps_loss_and_gradients_are_those_of_the_cpus_form(accelerator, learned_on):
    assert_learned_the_same(learned_on(accelerator), learned_on("cpu"))


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"batch_norm": "per-device"}, {"rematerialize": True}], ids=str)
def test_on_two_tpus_a_training_step_is_that_of_the_textbook_form(settings):
    config, devices, draw = NetworkConfig("visual", 10), DataParallel(jax.devices()[:2]), np.random.default_rng(3)
    batch = devices.split_batch(
        {
            "clip": np.float32(draw.normal(0, 50, (4, 16, SIZE, SIZE, 3))),
            "density": np.float32(draw.uniform(0, 255, (4, SIZE, SIZE))),
            "fixations": np.float32(draw.uniform(size=(4, SIZE, SIZE)) > 0.95),
            "waveform": np.zeros((4, 1), np.float32),
            "weight": np.ones(4, np.float32),
        }
    )
    results = []
    for form in (BackendForm.for_platform("tpu"), TEXTBOOK):
        network = new_network(config, seed=0, form=form)
        Compute("float32", **settings).configure(network, devices.num_devices)
        job, state = step.create(network, functools.partial(optimizer.sgd, 0.1), RATES, effective_batch=4)
        learn = jax.jit(functools.partial(step.loss_gradients, job), out_shardings=devices.everywhere)
        gradients, terms, statistics = jax.device_get(learn(devices.replicate(state), batch, jnp.float32(0.5)))
        results.append((nnx.to_pure_dict(gradients), terms, nnx.to_pure_dict(statistics)))
    ours, textbook = results
    assert_learned_the_same(ours[:2], textbook[:2])
    for one, other in zip(jax.tree.leaves(ours[2]), jax.tree.leaves(textbook[2]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.full_optimization
def test_eight_tpus_train_as_one():
    """Two steps. The clips of a device lie side by side, and its chunks of time stay on it.

    Pictures of 16 pixels would leave BatchNorm 16 values a channel at the end, which magnify rounding.
    """
    draw, results = np.random.default_rng(4), []
    batches = [
        {
            "clip": draw.integers(0, 256, (16, 4, 32, 32, 3), np.uint8),
            "density": draw.integers(0, 256, (16, 32, 32), np.uint8),
            "fixations": np.uint8(draw.uniform(size=(16, 32, 32)) > 0.95),
            "weight": np.ones(16, np.float32),
        }
        for _ in range(2)
    ]
    for num_devices in (8, 1):
        devices, losses = DataParallel(jax.devices()[:num_devices]), []
        network = new_network(NetworkConfig("visual", 10), seed=0, form=BackendForm.for_platform("tpu"))
        Compute("float32").configure(network, num_devices)
        job, state = step.create(network, functools.partial(optimizer.sgd, 0.01), RATES, effective_batch=16)
        start, state = jax.device_get(state.params), devices.replicate(state)
        arguments = [(devices.split_batch(batch), devices.replicate(jnp.float32(0.5))) for batch in batches]
        with jax.numpy_dtype_promotion("standard"):  # optax multiplies a Python float and an integer
            train_step = step.compiled_train_step(job, devices, state).lower(state, {}, *arguments[0]).compile()
        for batch, side_weight in arguments:
            state, values = train_step(state, {}, batch, side_weight)
            losses.append({name: float(value) for name, value in values.items()})
        for talk in ("all-gather", "all-to-all", "collective-permute"):  # sums are all that devices exchange
            assert talk not in train_step.as_text()
        moved = jax.tree.map(np.subtract, jax.device_get(state.params), start)
        results.append((losses, *(nnx.to_pure_dict(tree) for tree in (moved, jax.device_get(state.batch_stats)))))
    (losses, moved, statistics), (expected_losses, expected_moved, expected_statistics) = results
    for ours, expected in zip(losses, expected_losses, strict=True):
        assert ours == pytest.approx(expected, rel=1e-5, abs=1e-5)  # CC and NSS are near 0
    for one, other in zip(jax.tree.leaves(moved), jax.tree.leaves(expected_moved), strict=True):
        assert np.linalg.norm(one - other) <= GRADIENT_RTOL * np.linalg.norm(other)
    for one, other in zip(jax.tree.leaves(statistics), jax.tree.leaves(expected_statistics), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def assert_learned_the_same(ours: tuple, expected: tuple) -> None:
    """Compares (gradients, terms of the loss)."""
    for name, value in expected[1].items():
        assert ours[1][name] == pytest.approx(value, rel=1e-4, abs=1e-5), name
    leaves = jax.tree.leaves(expected[0])
    noise = 1e-6 * np.sqrt(sum(np.sum(leaf**2) for leaf in leaves))  # biases before BatchNorm have 0
    for (path, one), other in zip(jax.tree.leaves_with_path(ours[0]), leaves, strict=True):
        difference = np.linalg.norm(one - other)
        assert difference <= GRADIENT_RTOL * np.linalg.norm(other) + noise, jax.tree_util.keystr(path)


def test_the_default_form_is_that_of_jaxs_default_backend():
    assert BackendForm.for_platform() == BackendForm.for_platform("cpu")
    assert BackendForm.for_platform("another") == BackendForm.for_platform("gpu")
    assert new_network(CONFIG, seed=0).form == BackendForm.for_platform("cpu")


def test_bfloat16_scores_without_differences_of_frames():
    assert BackendForm.for_platform("cpu", scoring=True).conv3d == "karatsuba"
    assert BackendForm.for_platform("cpu", scoring=True, dtype="bfloat16") == BackendForm.for_platform("cpu")


def test_forms_that_do_not_fit_together_are_refused():
    with pytest.raises(ValueError, match="some of these forms do not work on the layout 'array'"):
        BackendForm(conv3d="sums", max_pool="comparisons")
    with pytest.raises(ValueError, match="some of these forms do not work on the layout 'frames'"):
        BackendForm("frames")
