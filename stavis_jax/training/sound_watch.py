"""Watches whether a network uses its sound.

After a step that is too large, the ReLUs of the localisation may never be active again. Their gradient is then zero, so
the training goes on with a network that ignores the sound, and its scores are about those of `visual`.
"""

import json
import logging
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from data_pipelines.runtime.text_files import read_text
from stavis_jax.models.stavis import Outputs

LEAST_EFFECT = 1e-3  # of the logits' standard deviation; a level of an 8-bit picture of the logits is 0.0078 or more

_log = logging.getLogger("stavis_jax")


class SoundEffect(NamedTuple):
    """How much the sound of some clips matters. Both values are NaN if these clips have no sound.

    Attributes:
      change: mean change of the logits when the sound is silenced, in standard deviations of the logits.
      active: share of the hidden units of the localisation that are active in some of the clips: those of the picture
        or those of the sound, whichever is smaller. At 0, the sound has no effect and no gradient.
    """

    change: float
    active: float


@jax.jit
def _effect(waveform: jax.Array, outputs: Outputs, silenced: Outputs) -> tuple[jax.Array, jax.Array]:
    assert outputs.hidden is not None, "only networks with sound have hidden units"
    has_sound = jnp.any(waveform != 0, axis=1).astype(jnp.float32)  # [B]
    changes = jnp.mean(jnp.abs(outputs.logits - silenced.logits), axis=(1, 2))
    change = jnp.sum(changes * has_sound) / jnp.sum(has_sound)
    spread = jnp.std(outputs.logits)
    visual, sound = (jnp.max(x, axis=tuple(range(1, x.ndim - 1))) for x in outputs.hidden)  # [B, 128]
    shares = [jnp.mean(jnp.any((of > 0) & (has_sound[:, None] > 0), axis=0)) for of in (visual, sound)]
    active = jnp.minimum(*shares) + 0 * change  # NaN without sound
    return jnp.where(spread > 0, change / jnp.where(spread > 0, spread, 1), 0 * change), active


def sound_effect(waveform: jax.Array, outputs: Outputs, silenced: Outputs) -> SoundEffect:
    """Compares outputs [B, ...] of clips with waveforms [B, S] and outputs of the same clips without sound."""
    change, active = _effect(waveform, outputs, silenced)
    return SoundEffect(float(np.asarray(change)), float(np.asarray(active)))


def warn_if_unused(effect: SoundEffect, title: str, epoch: int, *, is_last: bool) -> bool:
    """Logs one line if the sound has no effect and cannot get one, or if it has none at the end. Returns whether."""
    warning = _warning(effect, title, epoch, is_last=is_last)
    if warning:
        _log.warning("%s", warning)
    return bool(warning)


def warning_of(directory: Path) -> str:
    """Returns the warning about the sound of a finished training, from DIRECTORY/metrics.jsonl, or an empty string."""
    try:
        epoch = json.loads(read_text(directory / "metrics.jsonl").splitlines()[-1])
        effect = SoundEffect(float(epoch["sound_effect"]), float(epoch["active_units"]))
        return _warning(effect, directory.name, int(epoch["epoch"]), is_last=True)
    # No training with sound, one of an earlier version, or a damaged file.
    except (OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return ""


def _warning(effect: SoundEffect, title: str, epoch: int, *, is_last: bool) -> str:
    if effect.active == 0:
        fault = f"after epoch {epoch}, no hidden unit of the localisation is active, so the sound has no effect"
    elif is_last and effect.change < LEAST_EFFECT:
        fault = f"the sound hardly changes the maps: by {effect.change:.1e} standard deviations of the logits"
    else:
        return ""
    return (
        f"{title}: {fault}. Train again with --config.stages.audiovisual.max_gradient_norm=100, or with a lower "
        "learning rate of the groups localization and sound."
    )
