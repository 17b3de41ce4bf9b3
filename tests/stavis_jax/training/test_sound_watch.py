"""A training warns if its network no longer hears."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from stavis_jax.models.stavis import NetworkConfig, Outputs
from stavis_jax.training.sound_watch import LEAST_EFFECT, SoundEffect, sound_effect, warn_if_deaf
from stavis_jax.weights.flat_names import new_network


@pytest.mark.slow
def test_a_network_that_hears_has_an_effect_and_one_with_dead_units_has_none():
    rng = np.random.default_rng(0)
    clip = jnp.asarray(rng.normal(0, 50, (2, 16, 32, 32, 3)), jnp.float32)
    waveform = jnp.asarray(rng.normal(0, 50, (2, 35_280)), jnp.float32)
    network = new_network(NetworkConfig("l3mul-s3", 10), seed=0)

    network.localization.kernel[...] *= 1e8  # the starting values hardly change anything

    @jax.jit
    def run(bias, waveform):
        heard = nnx.clone(network)
        heard.hidden.sound.bias[...] += bias
        return heard(clip, waveform)

    effects = [
        sound_effect(waveform, run(jnp.float32(bias), waveform), run(jnp.float32(bias), 0 * waveform))
        for bias in (0, -1e6)
    ]
    assert effects[0].contrast > 0 and effects[0].change > 0
    assert effects[1] == SoundEffect(0, 0)


def outputs(logits, localization):
    return Outputs(jnp.asarray(logits, jnp.float32), (), (), jnp.asarray(localization, jnp.float32))


def test_clips_without_sound_say_nothing(caplog):
    some = outputs(np.arange(8.0).reshape(2, 2, 2), np.zeros((2, 1, 1, 1)))
    effect = sound_effect(jnp.zeros((2, 5)), some, some)
    assert np.isnan(effect.change) and np.isnan(effect.contrast)
    assert not warn_if_deaf(effect, "l3mul-s3", 1, is_last=True)
    assert not caplog.records


def test_only_clips_with_sound_count():
    logits = np.arange(8.0).reshape(2, 2, 2)
    waveform = jnp.zeros((2, 5)).at[1, 3].set(1)
    contrast = np.arange(8.0, dtype=np.float32).reshape(2, 2, 2, 1)
    silenced = outputs(logits + np.array([100, 1])[:, None, None], contrast)
    effect = sound_effect(waveform, outputs(logits, contrast), silenced)
    assert effect == pytest.approx(SoundEffect(1 / np.std(logits), 3))


@pytest.mark.parametrize(
    ("effect", "is_last", "expected"),
    [
        (SoundEffect(0, 0), False, "after epoch 3, no hidden unit of the localisation is active"),
        (SoundEffect(LEAST_EFFECT / 2, 1), True, "the sound hardly changes the maps: by 5.0e-04 standard deviations"),
        (SoundEffect(LEAST_EFFECT / 2, 1), False, ""),
        (SoundEffect(LEAST_EFFECT * 2, 1), True, ""),
    ],
)
def test_a_deaf_network_is_told_in_one_line(effect, is_last, expected, caplog):
    assert warn_if_deaf(effect, "l3mul-s3", 3, is_last=is_last) == bool(expected)
    assert [f"l3mul-s3: {expected}" in record.message for record in caplog.records] == [True] * bool(expected)
