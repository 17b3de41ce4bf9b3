"""Watches whether a network uses its sound.

After a step that is too large, the ReLUs of the localisation may never be active again. Their gradient is then zero, so
the training goes on with a network that is deaf, and its scores are about those of `visual`.
"""

import logging
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stavis_jax.models.stavis import Outputs

LEAST_EFFECT = 1e-3  # of the logits' standard deviation; less changes no 8-bit map

_log = logging.getLogger("stavis_jax")


class SoundEffect(NamedTuple):
    """How much the sound of some clips matters. Both values are NaN if these clips have no sound.

    Attributes:
      change: mean change of the logits when the sound is silenced, in standard deviations of the logits.
      contrast: largest difference within a localisation map. It is 0 if no hidden unit is active.
    """

    change: float
    contrast: float


@jax.jit
def _effect(waveform: jax.Array, outputs: Outputs, silenced: Outputs) -> tuple[jax.Array, jax.Array]:
    has_sound = jnp.any(waveform != 0, axis=1).astype(jnp.float32)  # [B]
    changes = jnp.mean(jnp.abs(outputs.logits - silenced.logits), axis=(1, 2))
    change = jnp.sum(changes * has_sound) / jnp.sum(has_sound)
    spread = jnp.std(outputs.logits)
    maps = outputs.localization
    assert maps is not None, "only networks with sound have an effect"
    contrasts = jnp.max(jnp.max(maps, axis=(1, 2)) - jnp.min(maps, axis=(1, 2)), axis=1)
    contrast = jnp.max(contrasts * has_sound) + 0 * change  # NaN without sound
    return jnp.where(spread > 0, change / jnp.where(spread > 0, spread, 1), 0 * change), contrast


def sound_effect(waveform: jax.Array, outputs: Outputs, silenced: Outputs) -> SoundEffect:
    """Compares outputs [B, ...] of clips with their waveforms [B, S], and of the same clips without sound."""
    change, contrast = _effect(waveform, outputs, silenced)
    return SoundEffect(float(np.asarray(change)), float(np.asarray(contrast)))


def warn_if_deaf(effect: SoundEffect, title: str, epoch: int, *, is_last: bool) -> bool:
    """Logs one line if the sound has no effect and cannot get one, or if it has none at the end. Returns whether."""
    advice = (
        "Train again with --config.stages.audiovisual.max_gradient_norm=100, or with a lower learning rate of the "
        "groups localization and sound"
    )
    if effect.contrast == 0:
        text = "%s: after epoch %d, no hidden unit of the localisation is active, so the sound has no effect. %s."
        _log.warning(text, title, epoch, advice)
        return True
    if is_last and effect.change < LEAST_EFFECT:
        text = "%s: the sound hardly changes the maps: by %.1e standard deviations of the logits. %s."
        _log.warning(text, title, effect.change, advice)
        return True
    return False
