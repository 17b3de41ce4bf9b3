"""Names the device and measures its limits: copies in its memory, matrix products, copies from the host."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.accelerator.figures import figure
from benchmarks.accelerator.timing import seconds_of
from benchmarks.machine import cores


def device(tell) -> None:
    """Reports the kind and number of devices."""
    kind = jax.devices()[0].device_kind
    tell(figure(f"devices, {kind}", jax.device_count(), jax=jax.__version__, cores=cores()))


def ceilings(tell, *, megabytes: int, side: int) -> None:
    """Reports rates of copies and of products of two square matrices.

    Args:
      tell: takes the figures.
      megabytes: size of the array that is copied within the device's memory. The copy's rate counts bytes read and
        bytes written.
      side: rows and columns of the matrices.
    """
    draw = np.random.default_rng(0).standard_normal

    numbers = jnp.asarray(np.resize(draw(2**16, np.float32), megabytes * 2**18))
    took = seconds_of(lambda: _double(numbers), jax.block_until_ready, total=0.5)
    tell(figure("memory, read and written", 2 * numbers.nbytes / took.median / 1e9, "GB/s", spread=took.spread))

    a, b = (draw((side, side), np.float32) for _ in range(2))
    for dtype, precision in (("bfloat16", "default"), ("float32", "default"), ("float32", "highest")):
        product = jax.jit(functools.partial(jnp.matmul, precision=precision))
        call = functools.partial(product, jnp.asarray(a, dtype), jnp.asarray(b, dtype))
        took = seconds_of(call, jax.block_until_ready, total=0.5)
        name, rate = f"matrix product, {dtype}, {precision}", 2 * side**3 / took.median / 1e12
        tell(figure(name, rate, "TFLOP/s", spread=took.spread))

    host = draw((megabytes // 16 * 2**18,), np.float32)
    took = seconds_of(lambda: jax.device_put(host), jax.block_until_ready, total=0.5)
    tell(figure("host to device", host.nbytes / took.median / 1e9, "GB/s", spread=took.spread))


@jax.jit
def _double(numbers: jax.Array) -> jax.Array:
    return 2 * numbers
