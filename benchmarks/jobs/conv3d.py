"""3D convolutions: the forms of stavis_jax/ops/conv3d.py for CPUs, for each shape in the network of depth 50."""

from collections.abc import Callable

import numpy as np

from benchmarks import report
from benchmarks.paired_timing import Worker, alternate
from benchmarks.session import Session

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


def convolution(shape: str, form: str, batch: int) -> Callable[[], object]:
    """Returns a convolution and ReLU of made-up clips in the form "plain", "to train" or "to score"."""
    import jax
    import jax.numpy as jnp

    from stavis_jax.ops.conv3d import conv3d
    from stavis_jax.ops.video import lay_out

    frames, side, channels, features, size, strides = SHAPES[shape]
    normal = np.random.default_rng(0).standard_normal
    video = jnp.asarray(normal((batch, frames, side, side, channels)), jnp.float32)
    kernel = jnp.asarray(normal((size, size, size, channels, features)), jnp.float32)
    name = {"plain": "xla", "to train": "sums", "to score": "karatsuba"}[form]
    if form != "plain":
        video = lay_out(video, "frames")
    if form == "to score":
        kernel = tuple(kernel)
    convolve = jax.jit(lambda video, kernel: jax.tree.map(jax.nn.relu, conv3d(video, kernel, strides, name)))

    def job() -> None:
        jax.block_until_ready(convolve(video, kernel))

    return job


def measure(session: Session) -> dict[str, str]:
    """Compares training's form on a training batch, and scoring's form on one clip."""
    batches = {"to train": session.plan.training_batch, "to score": 1}
    rows, measured = [], []
    for shape in SHAPES:
        cells = [shape]
        for form, batch in batches.items():
            with _worker(shape, "plain", batch) as plain, _worker(shape, form, batch) as fast:
                measured.append(alternate(plain, fast, session.plan.rounds, session.plan.window_seconds / 5))
            cells += report.milliseconds(measured[-1], batch)
        rows.append(cells)
    head = ["", *(text for form in batches for text in (f"{form}: plain, ms", "fast, ms", "ratio"))]
    text = (
        "A convolution and a ReLU, ms a clip. Plain: XLA's own 3D convolution. To train: the form for gradients on "
        f"CPUs, at batch {batches['to train']}. To score: the form for CPUs that scoring uses, one clip at a time."
    )
    return session.section("3D convolutions", text, report.table(head, rows), pairs=measured)


def _worker(shape: str, form: str, batch: int) -> Worker:
    return Worker("benchmarks.jobs.conv3d:convolution", {"shape": shape, "form": form, "batch": batch})
