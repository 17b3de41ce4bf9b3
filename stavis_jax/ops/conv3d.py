"""3D convolution behind one function: the textbook form, and two for XLA:CPU, to train and to score."""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import lax

from stavis_jax.ops.conv2d import conv2d, conv2d_with_dots_backward
from stavis_jax.ops.video import Video

FEW_CHANNELS = 4  # of pixels
MANY_CHANNELS = 128
TAPS_TOGETHER = 4  # one long sum over all seven rounds worse: gradients left the golden tolerances

Term = jax.Array | None  # a frame or a kernel's tap; None is zero
Convolve = Callable[[jax.Array, jax.Array], jax.Array]


def conv3d(video: Video, kernel: jax.Array | tuple[jax.Array, ...], strides: Sequence[int] = (1, 1, 1)) -> Video:
    """Cross-correlates a video with a kernel, padded by half the kernel on every side.

    Args:
      video: [B, T, H, W, C], or a tuple of T frames [B, H, W, C]; the layout picks the form.
      kernel: [kT, kH, kW, C, D], odd sizes; or, for a tuple of frames, the kT time taps of it, which picks the form
        that is fastest to score and slow to differentiate.
      strides: steps in time, height, width.

    Returns:
      The video in the layout it came in, D channels, each axis ceil(size / stride) long.
    """
    if not isinstance(video, tuple):
        return _conv_array(video, kernel, strides)
    return (_conv_with_fewer_products if isinstance(kernel, tuple) else _sum_over_taps)(video, kernel, strides)


def _conv_array(video: jax.Array, kernel: jax.Array, strides: Sequence[int]) -> jax.Array:
    padding = [(size // 2, size // 2) for size in kernel.shape[:3]]
    return lax.conv_general_dilated(
        video, kernel, tuple(strides), padding, dimension_numbers=("NDHWC", "DHWIO", "NDHWC")
    )


def _conv_with_fewer_products(
    frames: tuple[jax.Array, ...], taps: tuple[jax.Array, ...], strides: Sequence[int]
) -> tuple[jax.Array, ...]:
    """As `_sum_over_taps`, with sums of frames in place of some of the convolutions."""
    block = 1 << (len(taps) - 1).bit_length()  # outputs at a time: a power of 2, not fewer than the taps
    kernels_are_small = taps[0].size <= frames[0].size  # else adding them up costs what it saves
    if strides[0] > 1 or len(taps) == 1 or len(frames) < block or not kernels_are_small:
        return _sum_over_taps(frames, taps, strides)
    convolve = functools.partial(_conv_frame, strides=strides[1:])
    if frames[0].shape[-1] <= FEW_CHANNELS:
        return _slide_in_a_loop(frames, taps, block, convolve)
    at = dict(enumerate(frames)).get  # None is zero
    outputs = []
    for start in range(-(len(taps) // 2), len(frames) - len(taps) // 2, block):
        window = [at(start + i) for i in range(2 * block - 1)]
        outputs += _slide(window, [*taps, *[None] * (block - len(taps))], convolve)
    return tuple(outputs[: len(frames)])


def _slide_in_a_loop(
    frames: tuple[jax.Array, ...], taps: tuple[jax.Array, ...], block: int, convolve: Convolve
) -> tuple[jax.Array, ...]:
    """`_slide` over block after block, its first level a loop too: a sixth of the products is in memory at a time, and
    what uses an output reads two arrays, not eight. For frames that are small against the outputs: they are stacked.
    """
    count, num_blocks, half = len(frames), -(-len(frames) // block), block // 2
    before = len(taps) // 2
    after = num_blocks * block + block - 1 - before - count
    nothing = jnp.zeros_like(frames[0])
    padded = jnp.stack([nothing] * before + list(frames) + [nothing] * after)
    kernel = jnp.pad(jnp.stack(taps), [(0, block - len(taps))] + [(0, 0)] * 4)
    first, second = kernel[:half], kernel[half:]
    tap_sets = jnp.stack([first, first + second, second])

    def third(job: tuple[jax.Array, jax.Array, jax.Array]) -> list[jax.Array]:
        start, number, minus_next = job
        window = lax.dynamic_slice_in_dim(padded, start, block - 1)
        window -= minus_next * lax.dynamic_slice_in_dim(padded, start + half, block - 1)
        return _slide(list(window), list(tap_sets[number]), convolve)

    starts = jnp.asarray([i * block + j for i in range(num_blocks) for j in (0, half, half)])
    numbers = jnp.tile(jnp.arange(3), num_blocks)
    minus_next = jnp.tile(jnp.asarray([1, 0, 1], kernel.dtype), num_blocks)
    thirds = lax.map(third, (starts, numbers, minus_next))
    outputs = []
    for i in range(0, 3 * num_blocks, 3):
        outputs += [x[i + 1] + x[i] for x in thirds] + [x[i + 1] - x[i + 2] for x in thirds]
    return tuple(outputs[:count])


def _sum_over_taps(
    frames: tuple[jax.Array, ...], kernel: jax.Array | tuple[jax.Array, ...], strides: Sequence[int]
) -> tuple[jax.Array, ...]:
    """A sum over time taps of 2D convolutions, one per frame: small enough to stay in cache, no padding in time.

    Pixels have too few channels to keep a 2D convolution busy: a few of their taps lie side by side as its channels.
    """
    time_stride, time_taps = strides[0], len(kernel)
    outputs = []
    for first in range(-(time_taps // 2), len(frames) - time_taps // 2, time_stride):
        taps = [k for k in range(time_taps) if 0 <= first + k < len(frames)]
        together = TAPS_TOGETHER if frames[0].shape[-1] <= FEW_CHANNELS else 1
        terms = []
        for group in (taps[i : i + together] for i in range(0, len(taps), together)):
            neighbours = jnp.concatenate([frames[first + k] for k in group], axis=-1)
            terms.append(_conv_frame(neighbours, jnp.concatenate([kernel[k] for k in group], axis=-2), strides[1:]))
        outputs.append(sum(terms[1:], terms[0]))
    return tuple(outputs)


def _slide(frames: list[Term], taps: list[Term], convolve: Convolve) -> list[Term]:
    """Output t is the sum over k of frames[t + k] * taps[k], for as many t as there are taps; None is zero.

    Karatsuba's way: halves of the taps slide over thirds of the frames, three products in place of four at every level.
    8 outputs of 7 taps take 26 convolutions of frames, not 56; 4 of 3 taps take 8, not 12.
    """
    if all(frame is None for frame in frames) or all(tap is None for tap in taps):
        return [None] * len(taps)
    if len(taps) == 1:
        return [convolve(frames[0], taps[0])]
    half = len(taps) // 2
    early, middle, late = (frames[i : i + 2 * half - 1] for i in (0, half, 2 * half))
    first, second = taps[:half], taps[half:]
    shared = _slide(middle, _plus(first, second), convolve)
    return [
        *_plus(shared, _slide(_minus(early, middle), first, convolve)),
        *_minus(shared, _slide(_minus(middle, late), second, convolve)),
    ]


def _plus(xs: list[Term], ys: list[Term]) -> list[Term]:
    return [y if x is None else x if y is None else x + y for x, y in zip(xs, ys, strict=True)]


def _minus(xs: list[Term], ys: list[Term]) -> list[Term]:
    return _plus(xs, [None if y is None else -y for y in ys])


def _conv_frame(frame: jax.Array, kernel: jax.Array, strides: Sequence[int]) -> jax.Array:
    if kernel.shape[:2] == (1, 1):  # a dot is twice as fast as a 1x1 convolution there, its gradient that of a matrix
        strided = frame[:, :: strides[0], :: strides[1]]
        return (strided.reshape(-1, frame.shape[-1]) @ kernel[0, 0]).reshape(*strided.shape[:-1], -1)
    many_channels = frame.shape[-1] >= MANY_CHANNELS
    return (conv2d_with_dots_backward if many_channels else conv2d)(frame, kernel, tuple(strides))
