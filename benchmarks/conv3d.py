"""The forms of a 3D convolution (stavis_jax/ops/conv3d.py) side by side, for every shape the network of depth 50 uses.

    python -m benchmarks.conv3d [--batch-size 1] [--rounds 15]

Times are milliseconds a clip, of a convolution and a ReLU. "to train" and "to score" are the two forms for CPUs; their
ratios are how many times faster than the plain form, XLA's own 3D convolution, they are. Forms take turns, the order
reversed every other round, and a ratio is the median of the rounds' ratios, so that what else runs on the machine falls
on all alike. `taskset -c 0` before the command measures one core.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from stavis_jax.ops.conv3d import conv3d
from stavis_jax.ops.video import lay_out

SHAPES = {  # name: T, H = W, C, D, kernel size, strides
    "stem": (16, 112, 3, 64, 7, (1, 2, 2)),
    "layer1": (8, 28, 64, 64, 3, (1, 1, 1)),
    "layer2, first": (8, 28, 128, 128, 3, (2, 2, 2)),
    "layer2": (4, 14, 128, 128, 3, (1, 1, 1)),
    "layer3, first": (4, 14, 256, 256, 3, (2, 2, 2)),
    "layer3": (2, 7, 256, 256, 3, (1, 1, 1)),
    "layer1, 1x1x1": (8, 28, 64, 256, 1, (1, 1, 1)),
    "layer2, shortcut": (8, 28, 256, 512, 1, (2, 2, 2)),
}
FORMS = ("plain", "to train", "to score")


def calls(batch_size: int, name: str) -> dict[str, Callable[[], object]]:
    """Each form, compiled, on made-up numbers."""
    frames, side, channels, features, size, strides = SHAPES[name]
    normal = np.random.default_rng(0).standard_normal
    clip = jnp.asarray(normal((batch_size, frames, side, side, channels)), jnp.float32)
    kernel = jnp.asarray(normal((size, size, size, channels, features)), jnp.float32)
    inputs = {
        "plain": (clip, kernel),
        "to train": (lay_out(clip, "frames"), kernel),
        "to score": (lay_out(clip, "frames"), tuple(kernel)),
    }
    convolve = jax.jit(lambda video, kernel: jax.tree.map(jax.nn.relu, conv3d(video, kernel, strides)))
    return {form: lambda form=form: jax.block_until_ready(convolve(*inputs[form])) for form in FORMS}


def measure(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of every call, round by round."""
    for call in calls.values():
        call()  # compiles
    seconds = {form: [] for form in calls}
    for number in range(rounds):
        for form in calls if number % 2 else reversed(calls):
            start = time.perf_counter()
            calls[form]()
            seconds[form].append(time.perf_counter() - start)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch-size", type=int, default=1, help="clips at a time; scoring on a CPU goes one by one")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    print(f"{'':18}{'plain':>10}{'to train':>10}{'ratio':>7}{'to score':>10}{'ratio':>7}")
    for name in SHAPES:
        seconds = measure(calls(arguments.batch_size, name), arguments.rounds)
        line = f"{name:18}"
        for form in FORMS:
            line += f"{1000 * statistics.median(seconds[form]) / arguments.batch_size:10.2f}"
            if form != "plain":
                ratios = [plain / fast for plain, fast in zip(seconds["plain"], seconds[form], strict=True)]
                line += f"{statistics.median(ratios):7.2f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
