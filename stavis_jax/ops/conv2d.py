"""2D convolution of images, and a form of it for training on XLA:CPU."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax


def conv2d(image: jax.Array, kernel: jax.Array, strides: Sequence[int] = (1, 1)) -> jax.Array:
    """Image [B, H, W, C], kernel [kH, kW, C, D] of odd sizes, padded by half the kernel: -> [B, H', W', D]."""
    padding = [(size // 2, size // 2) for size in kernel.shape[:2]]
    return lax.conv_general_dilated(image, kernel, tuple(strides), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def conv2d_with_dots_backward(image: jax.Array, kernel: jax.Array, strides: tuple[int, int]) -> jax.Array:
    """`conv2d`, same arguments and shapes, whose kernel's gradient is a dot a tap.

    On a CPU 1.3 to 1.6 times as fast from 128 channels on, and more where few features are made of 64 or more channels:
    XLA's gradient transposes the image, on one core.
    """
    return conv2d(image, kernel, strides)


def _forward(image: jax.Array, kernel: jax.Array, strides: tuple[int, int]) -> tuple[jax.Array, tuple]:
    return conv2d(image, kernel, strides), (image, kernel)


def _backward(strides: tuple[int, int], kept: tuple, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    image, kernel = kept
    (of_image,) = jax.vjp(lambda image: conv2d(image, kernel, strides), image)[1](gradient)
    height, width = kernel.shape[:2]
    padded = jnp.pad(image, [(0, 0), (height // 2,) * 2, (width // 2,) * 2, (0, 0)])
    flat = gradient.reshape(-1, gradient.shape[-1])
    taps = []
    for y in range(height):
        for x in range(width):
            stop_y, stop_x = (
                at + s * (n - 1) + 1 for at, s, n in zip((y, x), strides, gradient.shape[1:3], strict=True)
            )
            seen = padded[:, y : stop_y : strides[0], x : stop_x : strides[1]].reshape(-1, image.shape[-1])
            taps.append(lax.dot_general(seen, flat, (((0,), (0,)), ((), ()))))
    return of_image, jnp.stack(taps).reshape(kernel.shape)


conv2d_with_dots_backward.defvjp(_forward, _backward)
