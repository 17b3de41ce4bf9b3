"""How long both sides take: forward pass, training step, dense prediction, and a film from its file to its maps."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks import report, targets
from benchmarks.machine import peak_tflops
from benchmarks.paired import Contestant, Pairs, alternate, disturbance
from benchmarks.work import gflop_of_clip
from benchmarks.workshop import MALLOCS, Workshop
from data_pipelines.runtime.errors import UserError

# Of the largest value. Only a wrong network is further off: float32 is 1e-5, bfloat16 a few hundredths.
AGREEMENT = {"float32": 1e-2, "bfloat16": 0.5}
OUR_JOBS = {"forward": "jax_jobs:forward", "dense": "jax_jobs:dense", "training": "jax_training:training"}
HEAD = ["", "PyTorch, ms", "ours, ms", "ratio", *targets.HEAD]


@dataclasses.dataclass(frozen=True)
class Measured:
    """A row: times of calls that each do `clips` clips or maps; `difference` of the results, of the largest value."""

    name: str
    pairs: Pairs
    clips: int
    difference: float = 0.0
    dtype: str = "float32"

    def row(self, workshop: Workshop) -> list[str]:
        theirs, ours = (1e3 * s / self.clips for s in (self.pairs.their_seconds, self.pairs.our_seconds))
        goal = workshop.goal(self.name, self.pairs.ratio)
        return [self.name, f"{theirs:.4g}", f"{ours:.4g}", ratio_text(self.pairs), *goal]


def ratio_text(pairs: Pairs) -> str:
    """Median and range."""
    return f"**{pairs.ratio:.2f}** ({min(pairs.ratios):.2f} to {max(pairs.ratios):.2f})"


def forward(workshop: Workshop) -> dict[str, str]:
    """Title -> text of a section."""
    rows = [
        _measure(workshop, "forward", f"forward, batch {batch}", batch, malloc, dtype, batch=batch)
        for batch in workshop.plan.forward_batches
        for malloc, dtype in _settings(workshop)
        if malloc != "as commands" or workshop.device["platform"] != "cpu"  # no command runs a forward pass alone
    ]
    text = (
        f"Logits of l3mul-s3, ms a clip. {_network(workshop)} Both sides have the same weights and clips; "
        f"{_agreement(rows)}"
    )
    return {"Forward pass": _section(text, rows, workshop, flops=1)}


def training(workshop: Workshop) -> dict[str, str]:
    batch = workshop.plan.training_batch
    rows = [
        _measure(workshop, "training", f"training step, batch {batch}", batch, malloc, dtype, batch=batch)
        for malloc, dtype in _settings(workshop)
    ]
    text = (
        "Loss, gradients, BatchNorm statistics and the update by SGD with momentum, ms a clip; ours is the step that "
        f"`python -m stavis_jax.main` runs. {_network(workshop)} Losses of the first step: {_agreement(rows)}"
    )
    return {"Training step": _section(text, rows, workshop, flops=3)}


def dense(workshop: Workshop) -> dict[str, str]:
    frames = workshop.plan.film_frames
    rows = [
        _measure(workshop, "dense", "dense prediction", frames, malloc, dtype, num_frames=frames)
        for malloc, dtype in _settings(workshop)
        if dtype == "float32"
    ]
    text = (
        f"A map for each of {frames} frames that are in memory, with sound, ms a map: the network and what feeds it. "
        f"PyTorch runs batches of 4 clips. {_network(workshop)} Maps: {_agreement(rows)}"
    )
    return {"Dense prediction": _section(text, rows, workshop, flops=1)}


def film(workshop: Workshop) -> dict[str, str]:
    made, plan = workshop.film, workshop.plan
    paths = {"frames": str(made.frames), "sound": str(made.sound), "path": str(made.path)}
    rows = []
    for malloc in (malloc for malloc, dtype in _settings(workshop) if dtype == "float32" and malloc != "plain"):
        with (
            workshop.start("torch_jobs:film", environment=MALLOCS[malloc].theirs, **paths) as theirs,
            workshop.start("jax_jobs:film", environment=MALLOCS[malloc].ours, **paths) as ours,
        ):
            rows.append(Measured(f"film to maps, {malloc}", alternate(theirs, ours, plan.rounds), plan.film_frames))
    text = (
        f"A film of {plan.film_frames} frames of {plan.film_size[0]}x{plan.film_size[1]} with sound to its maps on "
        "disk, of the network's size, ms a map. Ours: the film file is decoded once. PyTorch, the original's way: "
        "frames extracted as JPEGs beforehand, not timed; 16 of them decoded and resized for every map, by a "
        f"DataLoader with a worker a core; batches of 4. {_network(workshop)}"
    )
    return {"Film to maps": _section(text, rows, workshop)}


def _settings(workshop: Workshop) -> Iterator[tuple[str, str]]:
    """malloc, dtype: float32 with each malloc; other formats, and on accelerators, as commands."""
    on_cpu = workshop.device["platform"] == "cpu"
    for dtype in workshop.dtypes:
        for malloc in workshop.plan.mallocs if on_cpu and dtype == "float32" else ("as commands",):
            yield malloc, dtype


def _measure(
    workshop: Workshop, job: str, name: str, clips: int, malloc: str, dtype: str, **arguments: Any
) -> Measured:
    if dtype != "float32":
        arguments["dtype"] = dtype
    with (
        workshop.start(f"torch_jobs:{job}", environment=MALLOCS[malloc].theirs, **arguments) as theirs,
        workshop.start(OUR_JOBS[job], environment=MALLOCS[malloc].ours, **arguments) as ours,
    ):
        difference = _difference(name, theirs, ours, AGREEMENT[dtype])
        pairs = alternate(theirs, ours, workshop.plan.rounds, workshop.plan.window_seconds)
    return Measured(f"{name}, {malloc if dtype == 'float32' else dtype}", pairs, clips, difference, dtype)


def _difference(name: str, theirs: Contestant, ours: Contestant, tolerance: float) -> float:
    expected, found = theirs.first_result(), ours.first_result()
    difference = float(np.abs(found - expected).max() / np.abs(expected).max())
    if not difference <= tolerance:
        raise UserError(f"{name}: results differ by {difference:.2g} of the largest; that is not the same network.")
    return difference


def _agreement(rows: Sequence[Measured]) -> str:
    return f"largest difference {max(row.difference for row in rows):.1g} of the largest value."


def _network(workshop: Workshop) -> str:
    return f"Depth {workshop.plan.depth}, clips of 16x{workshop.plan.size}x{workshop.plan.size}."


def _section(text: str, rows: Sequence[Measured], workshop: Workshop, flops: int = 0) -> str:
    """`flops`: times a forward pass's work is done for a clip; 0: not worth telling."""
    parts = [text, report.table(HEAD, [row.row(workshop) for row in rows])]
    if flops and workshop.device["platform"] != "cpu":
        parts.append(_rates(rows, workshop, flops))
    return "\n\n".join([*parts, _foot(workshop) + disturbance(*(row.pairs for row in rows))])


def _rates(rows: Sequence[Measured], workshop: Workshop, flops: int) -> str:
    """On an accelerator: clips a second and the share of its peak."""
    kind = workshop.device["kind"]
    gflop = flops * sum(gflop_of_clip(workshop.plan.depth, workshop.plan.size).values())
    cells = []
    for row in rows:
        rate, peak = row.clips / row.pairs.our_seconds, peak_tflops(kind, row.dtype)
        share = f"{rate * gflop / 1e3 / peak:.1%} of {peak:g} TFLOP/s" if peak else f"peak of {kind} not known"
        cells.append([row.name, f"{rate:.0f}", share])
    return report.table(["ours", "clips/s", "share of the peak"], cells)


def _foot(workshop: Workshop) -> str:
    plan = workshop.plan
    return (
        f"`python -m benchmarks.run`, {plan.rounds} rounds; medians, and the median and range of the pairs' ratios. "
        f"{workshop.machine('jax', 'torch', 'numpy')}; "
        f"ours on {workshop.device['kind']}, PyTorch on {workshop.their_device['kind']}."
    )
