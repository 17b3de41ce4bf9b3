"""The stem on overlapping clips of one film: a frame's share of the work is done once, not once for each of 16 clips.

conv1 is linear, so what its time taps make of a frame can be kept and summed anew for each clip:

  y[t] = sum over the taps k whose frame t + k - 3 lies inside the clip of W_k * x[t + k - 3]

The ten inner time steps of a clip use all seven taps and are the same for every clip; of its three first and three last
steps one, two or three taps fall outside. So there are seven kinds of stem frames. Exact, up to the order of the sums.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from data_pipelines.clips import CLIP_FRAMES
from stavis_jax.models.layers import value_of
from stavis_jax.models.resnet3d import ResNet3D
from stavis_jax.ops.conv3d import conv2d

REACH = 3  # frames to either side that a tap of conv1 looks at
TAPS = 2 * REACH + 1
INNER = REACH  # of the kinds 0 to 6: all taps inside the clip


def kind_of(step: int) -> int:
    """Which kind a clip's time step 0 to 15 is: 0, 1, 2 lack their 3, 2, 1 first taps, 4, 5, 6 their 1, 2, 3 last."""
    if step < REACH:
        return step
    return max(INNER, step - (CLIP_FRAMES - TAPS))


FIRST_STEP_OF_KIND = tuple(next(step for step in range(CLIP_FRAMES) if kind_of(step) == kind) for kind in range(TAPS))


class StemState(NamedTuple):
    """What is kept of the frames seen so far.

    Attributes:
      taps: [6, h, w, 7 * 64], what each tap makes of the newest frames.
      kinds: 7 x [L, h, w, 64], the newest stem frames of each kind, as far back as the next clips reach.
    """

    taps: jax.Array
    kinds: tuple[jax.Array, ...]


def kept_frames(kind: int, num_clips: int, stride: int) -> int:
    """How many stem frames of a kind the newest clips reach back to; `stride` frames from one clip to the next."""
    return CLIP_FRAMES - FIRST_STEP_OF_KIND[kind] + (num_clips - 1) * stride


def empty_state(size: tuple[int, int], channels: int, num_clips: int, stride: int, dtype: jnp.dtype) -> StemState:
    """Before any frame of height and width `size`: zeros, which no clip of real frames gets to see."""
    height, width = (-(-side // 2) for side in size)
    taps = jnp.zeros((2 * REACH, height, width, TAPS * channels), dtype)
    lengths = [kept_frames(kind, num_clips, stride) for kind in range(TAPS)]
    return StemState(taps, tuple(jnp.zeros((length, height, width, channels), dtype) for length in lengths))


def advance(trunk: ResNet3D, state: StemState, frames: jax.Array) -> StemState:
    """Takes in a film's next frames [N, H, W, 3], float32 minus the mean, N the same each time.

    A stem frame is known 3 frames late: the newest are those of the frame 3 before the newest.
    """
    kernel = jnp.stack(tuple(value_of(trunk.conv1.kernel)))  # [7, 7, 7, 3, 64], time first; may be taken apart
    channels, number = kernel.shape[-1], frames.shape[0]
    side_by_side = kernel.transpose(1, 2, 3, 0, 4).reshape(*kernel.shape[1:4], TAPS * channels)
    new = conv2d(frames.astype(trunk.dtype), side_by_side.astype(trunk.dtype), trunk.conv1.strides[1:])
    taps = jnp.concatenate([state.taps, new])  # [6 + N, h, w, 7 * 64]

    def of_tap(k: int) -> jax.Array:
        return taps[k : k + number, ..., k * channels : (k + 1) * channels]

    def total(first: int, stop: int) -> jax.Array:
        return sum((of_tap(k) for k in range(first + 1, stop)), of_tap(first))

    lacking_first = [total(first, TAPS) for first in range(REACH, 0, -1)]
    lacking_last = [total(0, stop) for stop in range(TAPS - 1, REACH, -1)]
    sums = (*lacking_first, total(0, TAPS), *lacking_last)
    rectified = [nnx.relu(trunk.bn1(y, False)) for y in sums]
    kinds = [jnp.concatenate([old, y])[-old.shape[0] :] for old, y in zip(state.kinds, rectified, strict=True)]
    return StemState(taps[-2 * REACH :], tuple(kinds))


def newest_clips(state: StemState, num_clips: int, stride: int) -> jax.Array:
    """The stem's output [B, 16, h, w, 64] of the newest clips, `stride` frames apart, the newest of all last."""
    steps = []
    for step in range(CLIP_FRAMES):
        first = _place(step)
        steps.append(state.kinds[kind_of(step)][first : first + (num_clips - 1) * stride + 1 : stride])
    return jnp.stack(steps, axis=1)


def newest_clip(state: StemState, number: jax.Array, stride: int) -> tuple[jax.Array, ...]:
    """One of these clips, counted from 0, as a tuple of its 16 frames [1, h, w, 64]; no other frame is copied."""
    return tuple(
        jax.lax.dynamic_slice_in_dim(state.kinds[kind_of(step)], _place(step) + number * stride, 1)
        for step in range(CLIP_FRAMES)
    )


def _place(step: int) -> int:
    """Where the oldest clip's time step lies among the frames of its kind."""
    return step - FIRST_STEP_OF_KIND[kind_of(step)]
