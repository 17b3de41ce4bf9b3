"""How time and memory grow with the length of a film, the batch, and the number of devices a batch is split over."""

import dataclasses
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks import report
from benchmarks.memory import peak_after
from benchmarks.paired import alternate
from benchmarks.workshop import Workshop

SIDES = ("PyTorch", "ours")


@dataclasses.dataclass(frozen=True)
class Curve:
    """A quantity over another, by side: {side: {x: y}}."""

    name: str
    x: str
    y: str
    points: dict[str, dict[int, float]]

    def per_unit(self) -> dict[str, float]:
        """By side, the last point's y / x over the first one's: 1 is proportional growth, less is better."""
        found = {}
        for side, points in self.points.items():
            (first, low), *_, (last, high) = sorted(points.items())
            found[side] = high / last / (low / first)
        return found


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
                growth = curve.per_unit()[side]
                rows.append([f"depth {depth}, {size} px: {curve.y} by {curve.x}, {side}", cells, f"{growth:.2f}"])
    shown = ""
    if picture:
        _plot(curves, picture)
        shown = f"![time and memory over film length, batch and devices]({picture.name})\n\n"
    text = (
        "Time and peak memory of dense prediction over the length of a film, time of a forward pass over the batch, "
        f"and of a training step of {plan.split_batch} clips over the number of devices that share it. Devices here "
        "are parts of one CPU, so equal times mean that splitting costs nothing. The last column: cost per frame, "
        "clip or device at the largest number over that at the smallest; 1 is linear growth, less is better (for "
        "devices of one CPU, 1 / their number)."
    )
    table = report.table(["", "value at each number", "growth"], rows)
    machine = report.machine("jax", "torch")
    return {"Linear": f"{text}\n\n{shown}{table}\n\n`python -m benchmarks.run`. {machine}."}


def _curves(workshop: Workshop, network: tuple[int, int]) -> list[Curve]:
    return [*_film_curves(workshop, network), _batch_curve(workshop, network), _device_curve(workshop, network)]


def _film_curves(workshop: Workshop, network: tuple[int, int]) -> list[Curve]:
    seconds, megabytes = ({side: {} for side in SIDES} for _ in range(2))
    for frames in workshop.plan.film_lengths:
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
        Curve("film", "frames", "seconds", seconds),
        Curve("film memory", "frames", "MiB", megabytes),
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
    return Curve("batch", "clips", "ms", milliseconds)


def _device_curve(workshop: Workshop, network: tuple[int, int]) -> Curve:
    milliseconds = {}
    for count in workshop.plan.device_counts:
        flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={count}", "JAX_PLATFORMS": "cpu"}
        arguments = {"batch": workshop.plan.split_batch, "num_devices": count}
        with workshop.start("jax_training:training", environment=flags, network=network, **arguments) as ours:
            times = [ours.run().seconds for _ in range(min(workshop.plan.rounds, 3))]
        milliseconds[count] = 1e3 * min(times)
    return Curve("devices", "devices", "ms", {"ours": milliseconds})


def _plot(curves: dict[tuple[int, int], list[Curve]], path: Path) -> None:
    columns = len(next(iter(curves.values())))
    figure = Figure(figsize=(3.4 * columns, 2.8 * len(curves)), layout="constrained")
    axes = figure.subplots(len(curves), columns, squeeze=False)
    for (network, of_network), row in zip(curves.items(), axes, strict=True):
        for curve, axis in zip(of_network, row, strict=True):
            for side, points in curve.points.items():
                axis.plot(*zip(*sorted(points.items()), strict=True), "o-", label=side)
            axis.set(xlabel=curve.x, ylabel=curve.y, title=f"depth {network[0]}, {network[1]} px", ylim=(0, None))
            axis.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
