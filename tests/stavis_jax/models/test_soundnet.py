from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from stavis_jax.models.layers import Conv1D
from stavis_jax.models.soundnet import FEWEST_SAMPLES, ROWS, SoundNet
from stavis_jax.ops.backend_form import BackendForm
from stavis_jax.weights.flat_names import flat_name
from stavis_jax.weights.loading import load_weights

GOLDEN = Path(__file__).parents[2] / "golden"
ATOL = 1e-4  # float32; the authors' code against itself in float64: 1e-5


@pytest.fixture(scope="module")
def soundnet():
    """Returns a SoundNet whose random parameters are large enough to tell sounds apart."""
    network = SoundNet(rngs=nnx.Rngs(0))
    for path, variable in nnx.to_flat_state(nnx.state(network, nnx.Param)):
        if path[-1] == "kernel":
            fan_in = np.prod(variable.shape[:2])
            variable[...] = variable[...] / jnp.std(variable[...]) * (2 / fan_in) ** 0.5
    return network


def features_shape(samples: int) -> tuple[int, ...]:
    waveform = jax.ShapeDtypeStruct((2, samples), jnp.float32)
    return jax.eval_shape(lambda x: SoundNet(rngs=nnx.Rngs(0))(x, False), waveform).shape


def steps_left(samples: int) -> int:
    """Computes from the table how many time steps are left for the last maximum."""
    for _, size, padding, pool in ROWS:
        samples = ((samples + 2 * padding - size) // 2 + 1) // pool
    return samples


@pytest.mark.parametrize("samples", [FEWEST_SAMPLES, 35_280, 78_301, 200_000])
def test_any_length_gives_1024_features(samples):
    assert features_shape(samples) == (2, 1024)


def test_the_papers_clip_leaves_two_steps_and_the_fewest_samples_one():
    assert steps_left(35_280) == 2
    assert steps_left(FEWEST_SAMPLES) >= 1


def features_on(platform: str, soundnet: SoundNet, waveform: np.ndarray) -> jax.Array:
    """Computes the features in the form for a platform."""
    soundnet.set_attributes(Conv1D, form=BackendForm.for_platform(platform))
    return jax.jit(lambda x: soundnet(x, False))(waveform)


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["cpu", "gpu"])
def test_features_are_the_maximum_over_time(platform, soundnet):
    draw = np.random.default_rng(0).normal
    sound = np.zeros((3, 200_000), np.float32)  # two noises, too far apart for one feature to hear both
    sound[0, 40_000:44_000] = sound[2, 40_000:44_000] = draw(0, 50, 4_000)
    sound[1, 150_000:154_000] = sound[2, 150_000:154_000] = draw(0, 50, 4_000)
    early, late, both = features_on(platform, soundnet, sound)
    np.testing.assert_allclose(both, jnp.maximum(early, late), rtol=1e-4, atol=1e-4)
    assert np.abs(early - late).max() > 0.1


def test_both_convolution_forms_hear_the_same(soundnet):
    sound = np.random.default_rng(0).normal(0, 50, (1, FEWEST_SAMPLES)).astype(np.float32)
    plain, columns = (features_on(platform, soundnet, sound) for platform in ("gpu", "cpu"))
    np.testing.assert_allclose(columns, plain, rtol=0, atol=1e-4 * np.abs(plain).max())


def test_features_are_the_authors(golden_inputs, write_golden_checkpoint):
    weights, _ = load_weights(write_golden_checkpoint("soundnet8"))
    network = SoundNet(rngs=nnx.Rngs(0))
    for path, variable in nnx.to_flat_state(nnx.state(network)):
        variable[...] = jnp.asarray(weights["soundnet/" + flat_name(path)])
    _, waveform = golden_inputs(0, 16)
    features = jax.jit(lambda x: network(x, False))(waveform)
    theirs = np.load(GOLDEN / "forward.npz")["av50_s0/soundnet"]
    np.testing.assert_allclose(features, theirs, rtol=0, atol=ATOL)
