"""Changes training clips as `data_pipelines.clips.augmentation` has drawn it. Runs on the device, within jit."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp


def cropped(batch: Mapping[str, jax.Array], crop: jax.Array) -> dict[str, jax.Array]:
    """Crops clip and maps, and resizes the crops to the whole frame.

    Args:
      batch: clip [B, T, S, S, 3], density [B, S, S] and fixations [B, S, S], float32.
      crop: boxes (top, left, height, width) of the first and the last frame, in shares of the frame, [B, 2, 4].

    Returns:
      The batch with the three arrays replaced. The clip is interpolated linearly. Density is too, and is scaled to a
      maximum of 255. A pixel of the fixations takes the value of the nearest one.
    """
    clip, density, fixations = batch["clip"], batch["density"], batch["fixations"]
    frames, size = clip.shape[1], clip.shape[2]
    along = jnp.linspace(0, 1, frames, dtype=jnp.float32) if frames > 1 else jnp.full((1,), 0.5, jnp.float32)
    boxes = crop[:, :1] + along[None, :, None] * (crop[:, 1:] - crop[:, :1])  # [B, T, 4]
    rows, columns = (_places(boxes[..., axis], boxes[..., axis + 2], size) for axis in (0, 1))
    clip = jnp.einsum("btij,btjkc->btikc", _linear(rows, size), clip)
    clip = jnp.einsum("btlk,btikc->btilc", _linear(columns, size), clip)
    middle = (frames - 1) // 2  # the target frame of a clip of consecutive frames
    at = rows[:, middle], columns[:, middle]
    density = _resampled(density, *(_linear(places, size) for places in at))
    highest = jnp.max(density, axis=(1, 2), keepdims=True)
    density = jnp.where(highest > 0, 255 * density / jnp.where(highest > 0, highest, 1), density)
    fixations = _resampled(fixations, *(_linear(jnp.round(places), size) for places in at))
    return {**batch, "clip": clip, "density": density, "fixations": fixations}


def recoloured(clip: jax.Array, colour: jax.Array) -> jax.Array:
    """Changes the colours of a clip [B, T, S, S, 3], RGB in [0, 255], by COLOUR_CHANGES [B, 6]; the same in all frames.

    Values stay within [0, 255].
    """
    saturation, contrast, brightness = (colour[:, i, None, None, None, None] for i in range(3))
    grey = jnp.mean(clip, axis=-1, keepdims=True)
    clip = grey + saturation * (clip - grey)
    level = jnp.mean(clip, axis=(1, 2, 3, 4), keepdims=True)
    clip = (level + contrast * (clip - level) + 255 * brightness) * colour[:, None, None, None, 3:]
    return jnp.clip(clip, 0, 255)


def _places(begin: jax.Array, length: jax.Array, size: int) -> jax.Array:
    """Returns the places, in pixels of the whole axis, of `size` pixels of a part of it: [..., size]."""
    centres = (_pixels(size, begin.ndim) + 0.5) / size
    return jnp.clip((begin[..., None] + length[..., None] * centres) * size - 0.5, 0, size - 1)


def _linear(places: jax.Array, size: int) -> jax.Array:
    """Returns the weights of linear interpolation, [..., size of the result, size]."""
    return jnp.maximum(0, 1 - jnp.abs(places[..., None] - _pixels(size, places.ndim)))


def _pixels(size: int, axes: int) -> jax.Array:
    """Returns 0 to size - 1 as the last axis, after `axes` axes of length 1."""
    return jnp.arange(size, dtype=jnp.float32).reshape(*[1] * axes, size)


def _resampled(maps: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    return jnp.einsum("bij,bjk,blk->bil", rows, maps, columns)
