"""Other forms of the network's operations on arrays, each equal to the plain one, put in place by name.

Which is faster depends on the compiler and the chip. They replace functions of the project in this process alone.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
from jax import lax

from stavis_jax.models import layers, stavis
from stavis_jax.ops import batch_norm, conv3d, pooling
from stavis_jax.ops.batch_norm import Statistics
from stavis_jax.ops.conv2d import conv2d
from stavis_jax.ops.video import Video

Convolution = Callable[[jax.Array, jax.Array, Sequence[int]], jax.Array]
PIXEL_CHANNELS = 3


def pool_by_comparisons(video: Video) -> Video:
    """3x3x3 max pooling, stride 2, of [B, T, H, W, C]: three maxima of three, one axis after another.

    Its gradient goes to the first of equals by comparisons, without the scatter of XLA's own, whose order varies.
    """
    if isinstance(video, tuple):
        return pooling.max_pool3d(video)
    return functools.reduce(pooling._max_of_three, (1, 2, 3), video)


def pointwise_as_dot(plain: Convolution, video: jax.Array, kernel: jax.Array, strides: Sequence[int]) -> jax.Array:
    """1x1x1 convolutions as matrix products of what the strides leave: [B, T, H, W, C] -> [B, T', H', W', D]."""
    if kernel.shape[:3] != (1, 1, 1):
        return plain(video, kernel, strides)
    return video[:, :: strides[0], :: strides[1], :: strides[2]] @ kernel[0, 0, 0]


def sum_of_2d(plain: Convolution, video: jax.Array, kernel: jax.Array, strides: Sequence[int]) -> jax.Array:
    """A convolution with several time taps as a sum over them of 2D convolutions of B * T' frames."""
    taps = kernel.shape[0]
    if taps == 1:
        return plain(video, kernel, strides)
    terms = [conv2d(frames, tap, strides[1:]) for frames, tap in zip(_by_tap(video, taps, strides[0]), kernel)]  # noqa: B905, as many
    total = sum(term.astype(jnp.float32) for term in terms).astype(video.dtype)
    return total.reshape(video.shape[0], -1, *total.shape[1:])


def stem_taps_as_channels(plain: Convolution, video: jax.Array, kernel: jax.Array, strides: Sequence[int]) -> jax.Array:
    """The stem alone: seven neighbouring frames side by side as 21 channels of one 2D convolution."""
    if kernel.shape[3] != PIXEL_CHANNELS:
        return plain(video, kernel, strides)
    neighbours = jnp.concatenate(_by_tap(video, kernel.shape[0], strides[0]), axis=-1)
    together = kernel.transpose(1, 2, 0, 3, 4).reshape(*kernel.shape[1:3], -1, kernel.shape[-1])
    convolved = conv2d(neighbours, together, strides[1:])
    return convolved.reshape(video.shape[0], -1, *convolved.shape[1:])


def stem_of_pixel_pairs(plain: Convolution, video: jax.Array, kernel: jax.Array, strides: Sequence[int]) -> jax.Array:
    """The stem alone: two neighbouring pixels of a row as 128 channels of one position. Rows of 4 n pixels."""
    if kernel.shape[3] != PIXEL_CHANNELS or strides[2] != 2 or video.shape[3] % 4:
        return plain(video, kernel, strides)
    first, second = (jnp.pad(kernel, [(0, 0), (0, 0), around, (0, 0), (0, 0)]) for around in ((0, 2), (2, 0)))
    half = kernel.shape[2] // 2
    pairs = lax.conv_general_dilated(
        video,
        jnp.concatenate([first, second], axis=-1),
        (strides[0], strides[1], 4),
        [(kernel.shape[0] // 2,) * 2, (kernel.shape[1] // 2,) * 2, (half, half - 1)],
        dimension_numbers=("NDHWC", "DHWIO", "NDHWC"),
    )
    return pairs.reshape(*pairs.shape[:3], 2 * pairs.shape[3], kernel.shape[-1])


def _by_tap(video: jax.Array, taps: int, stride: int) -> list[jax.Array]:
    """What each time tap sees of [B, T, H, W, C]: frames [B * T', H, W, C]."""
    outputs = -(-video.shape[1] // stride)
    padded = jnp.pad(video, [(0, 0), (taps // 2, taps // 2), (0, 0), (0, 0), (0, 0)])
    seen = [padded[:, tap : tap + (outputs - 1) * stride + 1 : stride] for tap in range(taps)]
    return [frames.reshape(-1, *frames.shape[2:]) for frames in seen]


@jax.custom_vjp
def normalise_in_one_pass(
    video: Video, scale: jax.Array, bias: jax.Array, epsilon: float, centre: jax.Array
) -> tuple[Video, Statistics]:
    """As batch_norm.normalise_by_batch; mean and variance from sums about `centre` [C], which fuse into one pass."""
    return _one_pass_forward(video, scale, bias, epsilon, centre)[0]


def _one_pass_forward(video, scale, bias, epsilon, centre):
    leaves = [
        leaf.astype(jnp.float32) - centre.reshape((1,) * (leaf.ndim - 1) + (-1,)) for leaf in jax.tree.leaves(video)
    ]
    count = jnp.float32(sum(leaf.size // leaf.shape[-1] for leaf in leaves))
    offset = batch_norm._sum(leaves) / count
    var = batch_norm._sum([jnp.square(leaf) for leaf in leaves]) / count - jnp.square(offset)
    of_batch = Statistics(centre + offset, jnp.maximum(var, 0), count)
    normalised = batch_norm.normalise(video, of_batch.mean, of_batch.var, scale, bias, epsilon)
    return (normalised, of_batch), (video, of_batch, scale, epsilon)


def _one_pass_backward(kept, gradients):
    return *batch_norm._backward(kept, gradients), jnp.zeros_like(kept[1].mean)


normalise_in_one_pass.defvjp(_one_pass_forward, _one_pass_backward)
_plain_batch_norm = layers.BatchNorm.__call__


def one_pass_batch_norm(self: layers.BatchNorm, video: Video, train: bool) -> Video:
    """The layer, with statistics of one pass about the running mean."""
    if not train or self.groups > 1:
        return _plain_batch_norm(self, video, train)
    centre = lax.stop_gradient(self.mean[...])
    normalised, statistics = normalise_in_one_pass(
        video, self.scale[...], self.bias[...], layers.BATCH_NORM_EPSILON, centre
    )
    self._move(statistics)
    return normalised


CONVOLUTIONS = {
    "dots": pointwise_as_dot,
    "taps2d": sum_of_2d,
    "stem-channels": stem_taps_as_channels,
    "stem-pairs": stem_of_pixel_pairs,
}
OTHERS = {
    "pool": (stavis, "max_pool3d", pool_by_comparisons),
    "one-pass": (layers.BatchNorm, "__call__", one_pass_batch_norm),
}
NAMES = (*OTHERS, *CONVOLUTIONS)


@contextlib.contextmanager
def applied(names: Sequence[str]) -> Iterator[None]:
    """Functions traced within use these forms. Of two convolutions that fit a kernel the first named is used.

    Raises:
      ValueError: a name that is not one of NAMES.
    """
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise ValueError(f"rewrites {', '.join(unknown)}: choose from {', '.join(NAMES)}")
    convolution = conv3d._conv_array
    for name in reversed([name for name in names if name in CONVOLUTIONS]):
        convolution = functools.partial(CONVOLUTIONS[name], convolution)
    places = [(conv3d, "_conv_array", convolution), *(OTHERS[name] for name in names if name in OTHERS)]
    before = [(place, name, getattr(place, name)) for place, name, _ in places]
    jax.clear_caches()  # what was traced before holds the plain forms
    try:
        for place, name, form in places:
            setattr(place, name, form)
        yield
    finally:
        for place, name, form in before:
            setattr(place, name, form)
        jax.clear_caches()
