"""3D convolution in four forms: two on arrays, and two on frames for XLA:CPU, to train and to score."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

import jax
import jax.numpy as jnp
from jax import lax

from stavis_jax.ops.conv2d import conv2d
from stavis_jax.ops.video import Video

FEW_CHANNELS = 4  # pixels have no more channels than this
MANY_CHANNELS = 128  # from here on, kernel gradients by dots are faster
TAPS_TOGETHER = 4  # one long sum over all seven taps rounds more: gradients left the golden tolerances

Frames = tuple[jax.Array, ...]
Kernel = jax.Array | tuple[jax.Array, ...]
Term = jax.Array | None  # a frame or a time tap; None stands for zeros
Convolve = Callable[[jax.Array, jax.Array], jax.Array]


def conv3d(
    video: Video,
    kernel: Kernel,
    strides: Sequence[int] = (1, 1, 1),
    form: Literal["xla", "stacked", "sums", "karatsuba"] = "xla",
) -> Video:
    """Cross-correlates a video with a kernel, padded by half the kernel on every side.

    Args:
      video: an array [B, T, H, W, C] for the forms "xla" and "stacked", T frames [B, H, W, C] for the others.
      kernel: [kT, kH, kW, C, D], odd sizes. For frames it may be a tuple of its kT time taps, which saves a copy.
      strides: steps in time, height and width.
      form: "stacked" stacks the time taps of pixels as channels of one 2D convolution, convolves a single frame in 2D,
        and computes the kernel gradients of short videos by 2D convolutions. It leaves the rest to XLA. "sums" adds up
        2D convolutions. "karatsuba" needs fewer of them and is slow to differentiate.

    Returns:
      The video in the same layout, with D channels, each axis ceil(size / stride) long.
    """
    forms: dict[str, Callable[..., Video]] = {
        "xla": _conv_array,
        "stacked": _conv_stacked,
        "sums": _sum_over_taps,
        "karatsuba": _karatsuba,
    }
    return forms[form](video, kernel, strides)


def _conv_array(video: jax.Array, kernel: jax.Array, strides: Sequence[int]) -> jax.Array:
    padding = [(size // 2, size // 2) for size in kernel.shape[:3]]
    return lax.conv_general_dilated(
        video, kernel, tuple(strides), padding, dimension_numbers=("NDHWC", "DHWIO", "NDHWC")
    )


def _conv_stacked(video: jax.Array, kernel: jax.Array, strides: Sequence[int]) -> jax.Array:
    """Gives the matrix units of a GPU 21 channels to multiply instead of 3."""
    if video.shape[1] == 1:  # a picture meets the middle tap only
        return conv2d(video[:, 0], kernel[kernel.shape[0] // 2], (strides[1], strides[2]))[:, None]
    if video.shape[-1] > FEW_CHANNELS:
        is_short = video.shape[1] < kernel.shape[0] and tuple(strides) == (1, 1, 1)
        return _conv_short(video, kernel) if is_short else _conv_array(video, kernel, strides)
    taps, stride = kernel.shape[0], strides[0]
    padded = jnp.pad(video, [(0, 0), (taps // 2, taps // 2), (0, 0), (0, 0), (0, 0)])
    last = video.shape[1] - 1
    neighbours = jnp.concatenate([padded[:, k : k + last + 1 : stride] for k in range(taps)], axis=-1)
    stacked = kernel.transpose(1, 2, 0, 3, 4).reshape(*kernel.shape[1:3], -1, kernel.shape[-1])
    images = conv2d(neighbours.reshape(-1, *neighbours.shape[2:]), stacked, (strides[1], strides[2]))
    return images.reshape(*neighbours.shape[:2], *images.shape[1:])


@jax.custom_vjp
def _conv_short(video: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolves a video that has fewer frames than the kernel, with stride 1.

    XLA for a GPU compiles the gradient of such a kernel as a forward convolution. It transposes the two factors for
    this, and then the parameters and their momentum. So here each time tap gets its gradient from a 2D convolution.
    """
    return _conv_array(video, kernel, (1, 1, 1))


def _conv_short_backward(residuals: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    video, kernel = residuals
    (d_video,) = jax.vjp(lambda x: _conv_array(x, kernel, (1, 1, 1)), video)[1](gradient)
    taps, frames = kernel.shape[0], video.shape[1]
    d_taps = []
    for offset in range(-(taps // 2), taps // 2 + 1):  # the tap multiplies frame t + offset for output t
        count = max(frames - abs(offset), 0)
        inputs, outputs = video[:, max(offset, 0) :][:, :count], gradient[:, max(-offset, 0) :][:, :count]
        d_taps.append(_tap_gradient(inputs, outputs, kernel[0]))
    return d_video, jnp.stack(d_taps)


def _tap_gradient(inputs: jax.Array, outputs: jax.Array, like: jax.Array) -> jax.Array:
    """Returns the gradient of a 2D kernel [kH, kW, C, D] that maps frames [B, T, H, W, C] to [B, T, H, W, D]."""
    if not inputs.size:
        return jnp.zeros_like(like)
    images, d_images = (x.reshape(-1, *x.shape[2:]) for x in (inputs, outputs))
    return jax.vjp(lambda tap: conv2d(images, tap), like)[1](d_images)[0]


_conv_short.defvjp(lambda video, kernel: (_conv_short(video, kernel), (video, kernel)), _conv_short_backward)


def _sum_over_taps(frames: Frames, kernel: Kernel, strides: Sequence[int]) -> Frames:
    """Sums 2D convolutions over the time taps. Each one stays in the cache, and time needs no padding.

    Pixels have too few channels for an efficient 2D convolution, so a few of their taps are stacked as channels.
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


def _karatsuba(frames: Frames, taps: Kernel, strides: Sequence[int]) -> Frames:
    """Computes `_sum_over_taps` with additions of frames in place of some convolutions, where that pays."""
    block = 1 << (len(taps) - 1).bit_length()  # outputs at a time: the smallest power of 2 >= the number of taps
    kernels_are_small = taps[0].size <= frames[0].size  # otherwise adding kernels costs what it saves
    if strides[0] > 1 or len(taps) == 1 or len(frames) < block or not kernels_are_small:
        return _sum_over_taps(frames, taps, strides)
    convolve = functools.partial(_conv_frame, strides=strides[1:])
    if frames[0].shape[-1] <= FEW_CHANNELS:
        return _slide_in_a_loop(frames, taps, block, convolve)
    frame_at = dict(enumerate(frames)).get
    outputs: list[Any] = []  # none of them is None, since every window holds a frame that a tap meets
    for start in range(-(len(taps) // 2), len(frames) - len(taps) // 2, block):
        window = [frame_at(start + i) for i in range(2 * block - 1)]
        outputs += _slide(window, [*taps, *[None] * (block - len(taps))], convolve)
    return tuple(outputs[: len(frames)])


def _slide(frames: list[Term], taps: list[Term], convolve: Convolve) -> list[Term]:
    """Returns y[t] = sum over k of frames[t + k] * taps[k], for as many t as there are taps.

    Karatsuba's method: halves of the taps slide over thirds of the frames, with three products in place of four at each
    level. 8 outputs of 7 taps take 26 convolutions of frames, not 56; 4 outputs of 3 taps take 8, not 12.
    """
    if all(frame is None for frame in frames) or all(tap is None for tap in taps):
        return [None] * len(taps)
    if len(taps) == 1:
        return [convolve(cast(jax.Array, frames[0]), cast(jax.Array, taps[0]))]
    half = len(taps) // 2
    early, middle, late = (frames[i : i + 2 * half - 1] for i in (0, half, 2 * half))
    first, second = taps[:half], taps[half:]
    shared = _slide(middle, _plus(first, second), convolve)
    return [
        *_plus(shared, _slide(_minus(early, middle), first, convolve)),
        *_minus(shared, _slide(_minus(middle, late), second, convolve)),
    ]


def _slide_in_a_loop(frames: Frames, taps: Kernel, block: int, convolve: Convolve) -> Frames:
    """Computes `_slide` for every block, with a loop over the blocks and over the three products of the first level.

    Only a sixth of the products is in memory at a time, and a reader of an output reads two arrays instead of eight.
    The frames are stacked, so they must be small compared with the outputs.
    """
    count, num_blocks, half = len(frames), -(-len(frames) // block), block // 2
    before = len(taps) // 2
    after = num_blocks * block + block - 1 - before - count
    zeros = jnp.zeros_like(frames[0])
    padded = jnp.stack([zeros] * before + list(frames) + [zeros] * after)
    kernel = jnp.pad(jnp.stack(taps), [(0, block - len(taps))] + [(0, 0)] * 4)
    first, second = kernel[:half], kernel[half:]
    tap_sets = jnp.stack([first, first + second, second])

    def product(job: tuple[jax.Array, jax.Array, jax.Array]) -> list[Term]:
        start, number, minus_next = job
        window = lax.dynamic_slice_in_dim(padded, start, block - 1)
        window -= minus_next * lax.dynamic_slice_in_dim(padded, start + half, block - 1)
        return _slide(list(window), list(tap_sets[number]), convolve)

    starts = jnp.asarray([i * block + j for i in range(num_blocks) for j in (0, half, half)])
    numbers = jnp.tile(jnp.arange(3), num_blocks)
    minus_next = jnp.tile(jnp.asarray([1, 0, 1], kernel.dtype), num_blocks)
    products = lax.map(product, (starts, numbers, minus_next))
    outputs = []
    for i in range(0, 3 * num_blocks, 3):
        outputs += [x[i + 1] + x[i] for x in products] + [x[i + 1] - x[i + 2] for x in products]
    return tuple(outputs[:count])


def _plus(xs: list[Term], ys: list[Term]) -> list[Term]:
    return [y if x is None else x if y is None else x + y for x, y in zip(xs, ys, strict=True)]


def _minus(xs: list[Term], ys: list[Term]) -> list[Term]:
    return _plus(xs, [None if y is None else -y for y in ys])


def _conv_frame(frame: jax.Array, kernel: jax.Array, strides: Sequence[int]) -> jax.Array:
    if kernel.shape[:2] == (1, 1):  # on a CPU a matrix product is twice as fast as a 1x1 convolution
        strided = frame[:, :: strides[0], :: strides[1]]
        return (strided.reshape(-1, frame.shape[-1]) @ kernel[0, 0]).reshape(*strided.shape[:-1], -1)
    return conv2d(frame, kernel, (strides[0], strides[1]), "dots" if frame.shape[-1] >= MANY_CHANNELS else "xla")
