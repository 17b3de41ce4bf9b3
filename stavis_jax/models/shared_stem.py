"""The stem on overlapping clips of one film: a frame's share of the work is done once, not once for each of 16 clips.

conv1 is linear, so what its time taps make of a frame can be kept and summed when its neighbours are there:

  y[t] = sum over the taps k whose frame t + k - 3 lies inside the clip of W_k * x[t + k - 3]

The ten inner time steps of a clip use all seven taps and are the same for every clip; of its three first and three last
steps one, two or three taps fall outside. So there are seven kinds of stem frames. Exact, up to the order of the sums.
"""

import collections

import jax
import jax.numpy as jnp
from flax import nnx

from data_pipelines.inputs.windows import CLIP_FRAMES
from stavis_jax.models.layers import value_of
from stavis_jax.models.resnet3d import ResNet3D
from stavis_jax.ops.conv2d import conv2d

REACH = 3  # frames to either side that a tap of conv1 looks at
TAPS = 2 * REACH + 1
INNER = REACH  # of the kinds 0 to 6: all taps inside the clip

Kinds = tuple[jax.Array, ...]  # 7 x [1, h, w, 64], one frame as each kind of stem frame


def kind_of(step: int) -> int:
    """Which kind a clip's time step 0 to 15 is: 0, 1, 2 lack their 3, 2, 1 first taps, 4, 5, 6 their 1, 2, 3 last."""
    if step < REACH:
        return step
    return max(INNER, step - (CLIP_FRAMES - TAPS))


FIRST_STEP_OF_KIND = tuple(next(step for step in range(CLIP_FRAMES) if kind_of(step) == kind) for kind in range(TAPS))


def products(trunk: ResNet3D, frames: jax.Array) -> tuple[jax.Array, ...]:
    """What conv1's time taps make of each frame [N, H, W, 3], float32 minus the mean: N x [1, h, w, 7 * 64]."""
    kernel = jnp.stack(tuple(value_of(trunk.conv1.kernel)))  # [7, 7, 7, 3, 64], time first; may be taken apart
    side_by_side = kernel.transpose(1, 2, 3, 0, 4).reshape(*kernel.shape[1:4], TAPS * kernel.shape[-1])
    frames, side_by_side = frames.astype(trunk.dtype), side_by_side.astype(trunk.dtype)
    return tuple(conv2d(frames[i : i + 1], side_by_side, trunk.conv1.strides[1:]) for i in range(len(frames)))


def kinds_of(trunk: ResNet3D, window: tuple[jax.Array, ...]) -> Kinds:
    """The middle one of 7 neighbours, of each of which `window` has the products, as every kind of stem frame."""
    channels = window[0].shape[-1] // TAPS
    terms = [frame[..., k * channels : (k + 1) * channels] for k, frame in enumerate(window)]
    sums = [sum(terms[first + 1 :], terms[first]) for first in range(REACH, 0, -1)]
    sums += [sum(terms[1:stop], terms[0]) for stop in range(TAPS, REACH, -1)]
    return tuple(nnx.relu(trunk.bn1(y, False)) for y in sums)


class NewestStemFrames:
    """Of a film's newest frames what the next clips may need, `stride` frames from one clip to the next.

    A stem frame is known 3 frames late: the newest are those of the frame 3 before the newest.
    """

    def __init__(self, num_clips: int, stride: int):
        self._stride = stride
        lengths = [CLIP_FRAMES - first + (num_clips - 1) * stride for first in FIRST_STEP_OF_KIND]
        self._kinds = [collections.deque(maxlen=length) for length in lengths]

    @property
    def num_kept(self) -> int:
        """How many stem frames [1, h, w, 64] there are once there is one."""
        return sum(kept.maxlen for kept in self._kinds)

    def add(self, frame: Kinds) -> None:
        """The next frame. Before the first one lie copies of it, which no clip of real frames gets to see."""
        for kept, kind in zip(self._kinds, frame, strict=True):
            kept.extend([kind] * (1 if kept else kept.maxlen))

    def clip(self, number: int) -> tuple[jax.Array, ...]:
        """The stem's output of one of the newest clips, counted from 0, the newest last: 16 x [1, h, w, 64]."""
        steps = [(kind_of(step), step) for step in range(CLIP_FRAMES)]
        return tuple(self._kinds[kind][step - FIRST_STEP_OF_KIND[kind] + number * self._stride] for kind, step in steps)
