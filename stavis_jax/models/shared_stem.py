"""The stem for overlapping clips of one film, which computes each frame once instead of once for each of 16 clips.

conv1 is linear: y[t] = sum over k = 0..6 of W_k * x[t + k - 3], over the frames that lie inside the clip. So the
products of a frame with the seven time taps can be kept and summed later, together with those of its neighbours.

The ten inner steps of a clip use all seven taps and are the same in every clip. At its first and last three steps, one,
two or three taps fall outside the clip. This makes seven kinds of stem frames. The result is exact up to the order of
the sums.
"""

import collections
from collections.abc import Sequence
from typing import cast

import jax
import jax.numpy as jnp
from flax import nnx

from data_pipelines.inputs.windows import CLIP_FRAMES
from stavis_jax.models.layers import value_of
from stavis_jax.models.resnet3d import ResNet3D
from stavis_jax.ops.conv2d import conv2d
from stavis_jax.ops.video import step_of_clips

REACH = 3  # frames that conv1 sees on either side
TAPS = 2 * REACH + 1
INNER = REACH  # the kind with all taps inside the clip

Kinds = tuple[jax.Array, ...]  # 7 x [1, h, w, 64], one frame as each kind of stem frame


def kind_of(step: int) -> int:
    """Returns the kind of a clip's step 0 to 15: 0, 1, 2 lack the first 3, 2, 1 taps, 4, 5, 6 the last 1, 2, 3."""
    if step < REACH:
        return step
    return max(INNER, step - (CLIP_FRAMES - TAPS))


FIRST_STEP_OF_KIND = tuple(next(step for step in range(CLIP_FRAMES) if kind_of(step) == kind) for kind in range(TAPS))


def products(trunk: ResNet3D, frames: jax.Array) -> jax.Array:
    """Convolves each frame with conv1's seven time taps.

    Args:
      trunk: holds conv1.
      frames: [N, H, W, 3], float32, RGB minus the ActivityNet mean.

    Returns:
      The products of each frame, [N, h, w, 7 * 64].
    """
    kernel = jnp.stack(tuple(value_of(trunk.conv1.kernel)))  # [7, 7, 7, 3, 64], may be a tuple of taps
    side_by_side = kernel.transpose(1, 2, 3, 0, 4).reshape(*kernel.shape[1:4], TAPS * kernel.shape[-1])
    return conv2d(frames.astype(trunk.dtype), side_by_side.astype(trunk.dtype), trunk.conv1.strides[1:])


def stem_of_clips(trunk: ResNet3D, frame_products: jax.Array, stride: int) -> jax.Array:
    """Returns the stem's output for all clips of a block of frames.

    Args:
      trunk: holds bn1.
      frame_products: what `products` returns for the frames, [N, h, w, 7 * 64]. N = (B - 1) stride + 16.
      stride: frames from one clip's first frame to the next one's.

    Returns:
      [B, 16, h, w, 64].
    """
    num_frames = len(frame_products)
    num_clips = (num_frames - CLIP_FRAMES) // stride + 1
    taps = jnp.split(frame_products, TAPS, axis=-1)  # 7 x [N, h, w, 64]
    inner = _rectified(trunk, [tap[k : num_frames - TAPS + 1 + k] for k, tap in enumerate(taps)])  # frames 3 to N - 4
    inner = jax.lax.optimization_barrier(inner)  # XLA would compute it again for each of the ten inner steps

    def stem_step(step: int) -> jax.Array:
        if kind_of(step) == INNER:
            return step_of_clips(inner, step - REACH, num_clips, stride)
        inside = [(tap, step + k - REACH) for k, tap in enumerate(taps) if 0 <= step + k - REACH < CLIP_FRAMES]
        return _rectified(trunk, [step_of_clips(tap, source, num_clips, stride) for tap, source in inside])

    return jnp.stack([stem_step(step) for step in range(CLIP_FRAMES)], axis=1)


def _rectified(trunk: ResNet3D, terms: Sequence[jax.Array]) -> jax.Array:
    """Returns stem frames from the products with the taps inside the clip."""
    return nnx.relu(cast(jax.Array, trunk.bn1(sum(terms[1:], terms[0]), False)))


def kinds_of(trunk: ResNet3D, window: tuple[jax.Array, ...]) -> Kinds:
    """Returns the seven kinds of stem frame of the middle of 7 neighbouring frames. `window` holds their products."""
    channels = window[0].shape[-1] // TAPS
    terms = [frame[..., k * channels : (k + 1) * channels] for k, frame in enumerate(window)]
    inside = [terms[first:] for first in range(REACH, 0, -1)] + [terms[:stop] for stop in range(TAPS, REACH, -1)]
    return tuple(_rectified(trunk, of_kind) for of_kind in inside)


class NewestStemFrames:
    """Caches the stem frames that upcoming clips still need. Clips start `stride` frames apart.

    Stem frames are known 3 frames late, because they depend on the 3 frames that follow.
    """

    def __init__(self, num_clips: int, stride: int):
        self._stride = stride
        self._lengths = [CLIP_FRAMES - first + (num_clips - 1) * stride for first in FIRST_STEP_OF_KIND]
        self._kinds: list[collections.deque[jax.Array]] = [collections.deque(maxlen=n) for n in self._lengths]

    @property
    def num_kept(self) -> int:
        """Number of stem frames [1, h, w, 64] in the cache, from the first frame on."""
        return sum(self._lengths)

    def add(self, frame: Kinds) -> None:
        """Adds the next frame. The first one also fills the places before it, which no clip of real frames uses."""
        for kept, kind, length in zip(self._kinds, frame, self._lengths, strict=True):
            kept.extend([kind] * (1 if kept else length))

    def clip(self, number: int) -> tuple[jax.Array, ...]:
        """Returns the stem's output for one of the newest clips, 16 x [1, h, w, 64]. Clip 0 is the oldest."""
        steps = [(kind_of(step), step) for step in range(CLIP_FRAMES)]
        return tuple(self._kinds[kind][step - FIRST_STEP_OF_KIND[kind] + number * self._stride] for kind, step in steps)
