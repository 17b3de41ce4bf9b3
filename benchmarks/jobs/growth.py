"""How time and memory grow with the length of a film, the batch, and the devices that share a batch."""

import dataclasses
from pathlib import Path

from benchmarks import report
from benchmarks.paired_timing import alternate
from benchmarks.session import Session

COLOURS = {"PyTorch": "tab:gray", "ours": "tab:blue"}
MOST_ROUNDS = 3  # of long measurements


@dataclasses.dataclass(frozen=True)
class Curve:
    """The quantity `y` over `x`, by side: {side: {x: y}}."""

    name: str
    x: str
    y: str
    points: dict[str, dict[int, float]]

    def growth(self, side: str) -> tuple[float, float]:
        """Returns the largest x over the smallest, and y at the largest over y at the smallest."""
        (first, low), *_, (last, high) = sorted(self.points[side].items())
        return last / first, high / low


def measure(session: Session) -> dict[str, str]:
    plan = session.plan
    networks = dict.fromkeys([(plan.small_depth, plan.small_size), (plan.depth, plan.size)])
    curves = {
        network: [*film_curves(session, network), batch_curve(session, network), device_curve(session, network)]
        for network in networks
    }
    rows = []
    for (depth, size), of_network in curves.items():
        for curve in of_network:
            for side, points in curve.points.items():
                cells = ", ".join(f"{x}: {y:.3g}" for x, y in sorted(points.items()))
                growth = [f"{times:.3g}x" for times in curve.growth(side)]
                rows.append([f"depth {depth}, {size} px: {curve.name}, {curve.y} by {curve.x}, {side}", cells, *growth])
    shown = ""
    if session.picture:
        plot(curves, session.picture)
        shown = f"![time and memory over film length, batch and devices]({session.picture.name})"
    text = (
        "Time and peak memory of dense prediction over the length of a film, time of a forward pass over the batch, "
        f"and of a training step of {plan.split_batch} clips over the number of devices that share it. Devices here "
        "are parts of one CPU, so equal times mean that splitting costs nothing. The last columns: largest number over "
        "smallest, and what it costs over what the smallest costs; equal for linear growth. Medians, "
        f"plain malloc; over devices the fastest of {MOST_ROUNDS}."
    )
    table = report.table(["", "cost at each number", "number", "cost"], rows)
    return session.section("How the cost grows", text, shown, table)


def film_curves(session: Session, network: tuple[int, int]) -> list[Curve]:
    seconds, megabytes = ({side: {} for side in COLOURS} for _ in range(2))
    for frames in session.plan.film_lengths:
        with session.start("dense:ours", network=network, num_frames=frames):
            pass  # compiles, so that the memory below is that of a later run at every length
        with (
            session.start("dense:theirs", network=network, num_frames=frames) as theirs,
            session.start("dense:ours", network=network, num_frames=frames) as ours,
        ):
            pairs = alternate(theirs, ours, min(session.plan.rounds, MOST_ROUNDS))
        for side, median, times in (
            ("PyTorch", pairs.their_seconds, pairs.theirs),
            ("ours", pairs.our_seconds, pairs.ours),
        ):
            seconds[side][frames] = median
            megabytes[side][frames] = max(time.peak_bytes for time in times) / 2**20
    return [Curve("dense prediction", "frames", y, of_y) for y, of_y in (("seconds", seconds), ("MiB", megabytes))]


def batch_curve(session: Session, network: tuple[int, int]) -> Curve:
    milliseconds = {side: {} for side in COLOURS}
    for batch in session.plan.batches:
        pairs = session.compare("forward", network=network, batch=batch)
        milliseconds["PyTorch"][batch] = 1e3 * pairs.their_seconds
        milliseconds["ours"][batch] = 1e3 * pairs.our_seconds
    return Curve("forward pass", "clips", "ms", milliseconds)


def device_curve(session: Session, network: tuple[int, int]) -> Curve:
    milliseconds = {}
    for count in session.plan.device_counts:
        flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={count}", "JAX_PLATFORMS": "cpu"}
        arguments = {"batch": session.plan.split_batch, "num_devices": count}
        with session.start("training:ours", environment=flags, network=network, **arguments) as ours:
            times = [ours.run().seconds for _ in range(min(session.plan.rounds, MOST_ROUNDS))]
        milliseconds[count] = 1e3 * min(times)
    return Curve("training step", "devices", "ms", {"ours": milliseconds})


def plot(curves: dict[tuple[int, int], list[Curve]], path: Path) -> None:
    """Writes a picture with one row per network and one panel per curve."""
    from matplotlib.figure import Figure

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
