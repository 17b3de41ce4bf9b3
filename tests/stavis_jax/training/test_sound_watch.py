"""A training warns if its network no longer hears."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from stavis_jax.models.stavis import NetworkConfig, Outputs
from stavis_jax.training.sound_watch import LEAST_EFFECT, SoundEffect, sound_effect, warn_if_unused, warning_of
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
    assert effects[0].active > 0.3 and effects[0].change > 0
    assert effects[1] == SoundEffect(0, 0)


def outputs(logits, visual, sound):
    """Returns outputs with these logits [B, H, W] and hidden units [B, h, w, C] and [B, C]."""
    hidden = jnp.asarray(visual, jnp.float32), jnp.asarray(sound, jnp.float32)
    return Outputs(jnp.asarray(logits, jnp.float32), (), (), jnp.zeros((2, 1, 1, 1)), hidden)


def test_clips_without_sound_say_nothing(caplog):
    some = outputs(np.arange(8.0).reshape(2, 2, 2), np.ones((2, 1, 1, 4)), np.ones((2, 4)))
    effect = sound_effect(jnp.zeros((2, 5)), some, some)
    assert np.isnan(effect.change) and np.isnan(effect.active)
    assert not warn_if_unused(effect, "l3mul-s3", 1, is_last=True)
    assert not caplog.records


def test_only_clips_with_sound_count():
    logits = np.arange(8.0).reshape(2, 2, 2)
    waveform = jnp.zeros((2, 5)).at[1, 3].set(1)
    visual = np.zeros((2, 1, 2, 4))
    visual[0], visual[1, 0, 0, :2], visual[1, 0, 1, 1:3] = 1, 1, 1  # three of four units in the clip with sound
    silenced = outputs(logits + np.array([100, 1])[:, None, None], visual, np.ones((2, 4)))
    effect = sound_effect(waveform, outputs(logits, visual, np.ones((2, 4))), silenced)
    assert effect == pytest.approx(SoundEffect(1 / np.std(logits), 3 / 4))


@pytest.mark.parametrize("dead", ["visual", "sound"])
def test_dead_units_of_either_kind_count(dead):
    alive = {"visual": np.ones((2, 1, 1, 4)), "sound": np.ones((2, 4))}
    some = outputs(np.arange(8.0).reshape(2, 2, 2), **alive | {dead: 0 * alive[dead]})
    assert sound_effect(jnp.ones((2, 5)), some, some).active == 0


@pytest.mark.parametrize(
    ("effect", "is_last", "expected"),
    [
        (SoundEffect(0, 0), False, "after epoch 3, no hidden unit of the localisation is active"),
        (SoundEffect(LEAST_EFFECT / 2, 1), True, "the sound hardly changes the maps: by 5.0e-04 standard deviations"),
        (SoundEffect(LEAST_EFFECT / 2, 1), False, ""),
        (SoundEffect(LEAST_EFFECT * 2, 1), True, ""),
    ],
)
def test_a_network_that_ignores_its_sound_is_told_in_one_line(effect, is_last, expected, caplog):
    assert warn_if_unused(effect, "l3mul-s3", 3, is_last=is_last) == bool(expected)
    assert [f"l3mul-s3: {expected}" in record.message for record in caplog.records] == [True] * bool(expected)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (['{"epoch": 4, "sound_effect": 0.0, "active_units": 0.0}'], "l3mul-s3: after epoch 4, no hidden unit"),
        (['{"epoch": 4, "sound_effect": 1e-4, "active_units": 0.5}'], "l3mul-s3: the sound hardly changes the maps"),
        (
            [
                '{"epoch": 3, "sound_effect": 0, "active_units": 0}',
                '{"epoch": 4, "sound_effect": 1, "active_units": 1}',
            ],
            "",
        ),
        (['{"epoch": 4, "validation_loss": 1.0}'], ""),
        (["cut sh"], ""),
        (['{"epoch": Infinity, "sound_effect": 1, "active_units": 1}'], ""),
        (['{"epoch": 1, "sound_effect": 1' + "0" * 400 + ', "active_units": 1}'], ""),
        ([], ""),
    ],
)
def test_the_report_repeats_the_warning_about_the_last_epoch(tmp_path, lines, expected):
    directory = tmp_path / "l3mul-s3"
    assert not warning_of(directory)
    directory.mkdir()
    (directory / "metrics.jsonl").write_text("".join(f"{line}\n" for line in lines))
    warning = warning_of(directory)
    assert warning.startswith(expected) and bool(warning) == bool(expected)
