"""How time and memory grow with the length of a film, the batch, and the number of devices a batch is split over."""

import dataclasses
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks import report
from benchmarks.memory import peak_after
from benchmarks.paired import alternate
from benchmarks.workshop import Workshop

SIDES = ("PyTorch", "ours")
COLOURS = {"PyTorch": "tab:gray", "ours": "tab:blue"}


@dataclasses.dataclass(frozen=True)
class Curve:
    """A quantity over another, by side: {side: {x: y}}."""

    name: str
    x: str
    y: str
    points: dict[str, dict[int, float]]

    def growth(self, side: str) -> tuple[float, float]:
        """How many times the last x is the first, and the last y the first."""
        (first, low), *_, (last, high) = sorted(self.points[side].items())
        return last / first, high / low


def linear(workshop: Workshop, picture: Path | None = None) -> dict[str, str]:
    """Title -> text of a section; writes the curves to `picture`."""
    plan = workshop.plan
    networks = dict.fromkeys([(plan.small_depth, plan.small_size), (plan.depth, plan.size)])
    curves = {network: _curves(workshop, network) for network in networks}
    rows = []
    for (depth, size), of_network in curves.items():
        for curve in of_network:
            for side, points in curve.points.items():
                cells = ", ".join(f"{x}: {y:.3g}" for x, y in sorted(points.items()))
                growth = [f"{times:.3g}x" for times in curve.growth(side)]
                rows.append([f"depth {depth}, {size} px: {curve.name}, {curve.y} by {curve.x}, {side}", cells, *growth])
    shown = ""
    if picture:
        _plot(curves, picture)
        shown = f"![time and memory over film length, batch and devices]({picture.name})\n\n"
    text = (
        "Time and peak memory of dense prediction over the length of a film, time of a forward pass over the batch, "
        f"and of a training step of {plan.split_batch} clips over the number of devices that share it. Devices here "
        "are parts of one CPU, so equal times mean that splitting costs nothing. The last columns: largest number over "
        "smallest, and what it costs over what the smallest costs; equal for linear growth. Medians, "
        "plain malloc; over devices the fastest of three."
    )
    table = report.table(["", "cost at each number", "number", "cost"], rows)
    machine = workshop.machine("jax", "torch")
    return {"How the cost grows": f"{text}\n\n{shown}{table}\n\n`python -m benchmarks.run`. {machine}."}


def _curves(workshop: Workshop, network: tuple[int, int]) -> list[Curve]:
    return [*_film_curves(workshop, network), _batch_curve(workshop, network), _device_curve(workshop, network)]


def _film_curves(workshop: Workshop, network: tuple[int, int]) -> list[Curve]:
    seconds, megabytes = ({side: {} for side in SIDES} for _ in range(2))
    for frames in workshop.plan.film_lengths:
        with workshop.start("jax_jobs:dense", network=network, num_frames=frames):
            pass  # compiled now: memory is then that of a later run, at every length
        with (
            workshop.start("torch_jobs:dense", network=network, num_frames=frames) as theirs,
            workshop.start("jax_jobs:dense", network=network, num_frames=frames) as ours,
        ):
            pairs = alternate(theirs, ours, min(workshop.plan.rounds, 3))
            for side, contestant, value in zip(
                SIDES, (theirs, ours), (pairs.their_seconds, pairs.our_seconds), strict=True
            ):
                seconds[side][frames] = value
                megabytes[side][frames] = peak_after(contestant, 1) / 2**20
    return [
        Curve("dense prediction", "frames", "seconds", seconds),
        Curve("dense prediction", "frames", "MiB", megabytes),
    ]


def _batch_curve(workshop: Workshop, network: tuple[int, int]) -> Curve:
    milliseconds = {side: {} for side in SIDES}
    for batch in workshop.plan.batches:
        with (
            workshop.start("torch_jobs:forward", network=network, batch=batch) as theirs,
            workshop.start("jax_jobs:forward", network=network, batch=batch) as ours,
        ):
            pairs = alternate(theirs, ours, workshop.plan.rounds, workshop.plan.window_seconds)
        milliseconds["PyTorch"][batch] = 1e3 * pairs.their_seconds
        milliseconds["ours"][batch] = 1e3 * pairs.our_seconds
    return Curve("forward pass", "clips", "ms", milliseconds)


def _device_curve(workshop: Workshop, network: tuple[int, int]) -> Curve:
    milliseconds = {}
    for count in workshop.plan.device_counts:
        flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={count}", "JAX_PLATFORMS": "cpu"}
        arguments = {"batch": workshop.plan.split_batch, "num_devices": count}
        with workshop.start("jax_training:training", environment=flags, network=network, **arguments) as ours:
            times = [ours.run().seconds for _ in range(min(workshop.plan.rounds, 3))]
        milliseconds[count] = 1e3 * min(times)
    return Curve("training step", "devices", "ms", {"ours": milliseconds})


def _plot(curves: dict[tuple[int, int], list[Curve]], path: Path) -> None:
    columns = len(next(iter(curves.values())))
    figure = Figure(figsize=(3.4 * columns, 2.8 * len(curves)), layout="constrained")
    axes = figure.subplots(len(curves), columns, squeeze=False)
    for (network, of_network), row in zip(curves.items(), axes, strict=True):
        for curve, axis in zip(of_network, row, strict=True):
            for side, points in curve.points.items():
                axis.plot(*zip(*sorted(points.items()), strict=True), "o-", label=side, color=COLOURS[side])
            axis.set(xlabel=curve.x, ylabel=curve.y, xlim=(0, None), ylim=(0, None))
            axis.set_title(f"{curve.name}, depth {network[0]}, {network[1]} px", fontsize=9)
            axis.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
