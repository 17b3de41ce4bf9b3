"""Other forms of the network's operations on arrays. Each gives the same numbers and replaces the usual form by name.

Which form is faster depends on the compiler and the chip. The forms replace functions of stavis_jax in this process.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from stavis_jax.models import layers, stavis
from stavis_jax.ops import batch_norm, pooling
from stavis_jax.ops.conv2d import conv2d
from stavis_jax.ops.conv3d import conv3d
from stavis_jax.ops.video import Video

Convolution = Callable[[jax.Array, jax.Array, Sequence[int]], jax.Array]
PIXEL_CHANNELS = 3


class Place(NamedTuple):
    """An attribute of a module or class, and the value to use in its place."""

    owner: Any
    name: str
    value: Any


def pool_by_comparisons(video: Video, form: str = "windows") -> Video:
    """Pools [B, T, H, W, C] by maxima of three values along one axis after another: 3x3x3 windows, stride 2.

    Its gradient goes to the first of equal values by comparisons. XLA's own gradient scatters, in an order that varies.
    """
    if form != "windows":
        return pooling.max_pool3d(video, form)
    return functools.reduce(pooling._max_of_three, (1, 2, 3), video)


def pointwise_as_dot(plain: Convolution, video: jax.Array, kernel: jax.Array, strides: Sequence[int]) -> jax.Array:
    """Computes 1x1x1 convolutions as matrix products: [B, T, H, W, C] -> [B, T', H', W', D]."""
    if kernel.shape[:3] != (1, 1, 1):
        return plain(video, kernel, strides)
    return video[:, :: strides[0], :: strides[1], :: strides[2]] @ kernel[0, 0, 0]


def sum_of_2d(plain: Convolution, video: jax.Array, kernel: jax.Array, strides: Sequence[int]) -> jax.Array:
    """Sums 2D convolutions of B * T' frames over the time taps, where there are several."""
    taps = kernel.shape[0]
    if taps == 1:
        return plain(video, kernel, strides)
    terms = [conv2d(frames, tap, strides[1:]) for frames, tap in zip(_by_tap(video, taps, strides[0]), kernel)]  # noqa: B905, as many
    total = sum(term.astype(jnp.float32) for term in terms).astype(video.dtype)
    return total.reshape(video.shape[0], -1, *total.shape[1:])


def stem_taps_as_channels(plain: Convolution, video: jax.Array, kernel: jax.Array, strides: Sequence[int]) -> jax.Array:
    """Computes the stem as one 2D convolution of 21 channels, which are seven neighbouring frames side by side."""
    if kernel.shape[3] != PIXEL_CHANNELS:
        return plain(video, kernel, strides)
    neighbours = jnp.concatenate(_by_tap(video, kernel.shape[0], strides[0]), axis=-1)
    together = kernel.transpose(1, 2, 0, 3, 4).reshape(*kernel.shape[1:3], -1, kernel.shape[-1])
    convolved = conv2d(neighbours, together, strides[1:])
    return convolved.reshape(video.shape[0], -1, *convolved.shape[1:])


def stem_of_pixel_pairs(plain: Convolution, video: jax.Array, kernel: jax.Array, strides: Sequence[int]) -> jax.Array:
    """Computes the stem with 128 channels at each position, which are two neighbouring pixels of the output.

    This needs rows whose number of pixels is a multiple of 4.
    """
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
    """Returns the frames of a video [B, T, H, W, C] that each time tap meets, as arrays [B * T', H, W, C]."""
    outputs = -(-video.shape[1] // stride)
    padded = jnp.pad(video, [(0, 0), (taps // 2, taps // 2), (0, 0), (0, 0), (0, 0)])
    seen = [padded[:, tap : tap + (outputs - 1) * stride + 1 : stride] for tap in range(taps)]
    return [frames.reshape(-1, *frames.shape[2:]) for frames in seen]


_plain_batch_norm = layers.BatchNorm.__call__


def one_pass_batch_norm(self: layers.BatchNorm, video: Video, train: bool) -> Video:
    """Replaces BatchNorm.__call__. It computes the statistics in one pass, about the running mean."""
    if not train or self.groups > 1:
        return _plain_batch_norm(self, video, train)
    centre = lax.stop_gradient(self.mean[...])
    normalised, statistics = batch_norm.normalise_by_batch(
        video, self.scale[...], self.bias[...], layers.BATCH_NORM_EPSILON, centre
    )
    self.update_running(statistics)
    return normalised


CONVOLUTIONS = {
    "dots": pointwise_as_dot,
    "taps2d": sum_of_2d,
    "stem-channels": stem_taps_as_channels,
    "stem-pairs": stem_of_pixel_pairs,
}
OTHERS = {
    "pool": Place(stavis, "max_pool3d", pool_by_comparisons),
    "one-pass": Place(layers.BatchNorm, "__call__", one_pass_batch_norm),
}
NAMES = (*OTHERS, *CONVOLUTIONS)


def applied(names: Sequence[str]) -> contextlib.AbstractContextManager[None]:
    """Makes functions that are traced inside use these forms. If two convolutions fit a kernel, the first one is used.

    Raises:
      ValueError: a name is not one of NAMES.
    """
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise ValueError(f"rewrites {', '.join(unknown)}: choose from {', '.join(NAMES)}")
    places = [OTHERS[name] for name in names if name in OTHERS]
    convolutions = [CONVOLUTIONS[name] for name in names if name in CONVOLUTIONS]
    if convolutions:
        places.append(Place(layers, "conv3d", _conv3d_with(convolutions)))
    return replaced(*places)


@contextlib.contextmanager
def replaced(*places: Place) -> Iterator[None]:
    """Replaces attributes inside the context. Compiled functions are forgotten before and after it."""
    usual = [Place(owner, name, getattr(owner, name)) for owner, name, _ in places]
    jax.clear_caches()
    try:
        for place in places:
            setattr(*place)
        yield
    finally:
        for place in usual:
            setattr(*place)
        jax.clear_caches()


def _conv3d_with(convolutions: Sequence[Callable]) -> Callable[..., Video]:
    """Returns conv3d with these rewrites in place of its form "xla"."""
    rewritten = conv3d
    for convolution in reversed(convolutions):
        rewritten = functools.partial(convolution, rewritten)

    def convolve(video: Video, kernel: Any, strides: Sequence[int] = (1, 1, 1), form: str = "xla") -> Video:
        return rewritten(video, kernel, strides) if form == "xla" else conv3d(video, kernel, strides, form)

    return convolve
