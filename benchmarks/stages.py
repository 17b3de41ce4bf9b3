"""Where the time of a forward pass goes: every stage alone on both sides, its work, and the floor that work sets."""

from benchmarks import report
from benchmarks.paired import Contestant, Pairs, alternate, disturbance
from benchmarks.speed import ratio_text
from benchmarks.stage_inputs import STAGES
from benchmarks.work import gflop_of_clip
from benchmarks.workshop import Workshop

BATCH = 4


def stages(workshop: Workshop) -> dict[str, str]:
    """Title -> text of a section."""
    plan = workshop.plan
    measured = {name: _measure(workshop, name) for name in STAGES}
    whole = _forward(workshop)
    peak = _peak_gflops(workshop)
    gflop = gflop_of_clip(plan.depth, plan.size)
    rows = [_row(name, pairs, gflop.get(name), peak[1]) for name, pairs in measured.items()]
    total = sum(gflop.values())
    rows.append(_row("whole network", whole, total, peak[1]))
    head = ["", "PyTorch, ms", "ours, ms", "ratio", "GFLOP", "ours, GFLOP/s", "of the matmul peak"]
    theirs, ours = (1e3 * seconds / BATCH for seconds in (whole.their_seconds, whole.our_seconds))
    text = (
        f"ms a clip at batch {BATCH}, which ours runs clip by clip on a CPU; each stage compiled alone on made-up "
        "features, attention 1 with the pooling after it. PyTorch's fusion makes the stages' own maps too. Depth "
        f"{plan.depth}, {plan.size} pixels. GFLOP are those of textbook layers, {gflop['attention']:.2f} for the four "
        "attentions; cheaper algorithms may pass the peak. Plain malloc."
    )
    limit = (
        f"The limit without them: {total:.1f} GFLOP a clip over the measured peak of a {plan.matmul_size}-square "
        f"float32 matrix product ({peak[1]:.0f} GFLOP/s in XLA, {peak[0]:.0f} in PyTorch) are "
        f"{1e3 * total / peak[1]:.0f} ms; ours takes {ours:.0f} ms, PyTorch {theirs:.0f} ms."
    )
    machine = f"`python -m benchmarks.run`, {plan.rounds} rounds. {workshop.machine('jax', 'torch')}."
    machine += disturbance(whole, *measured.values())
    return {"Where the time goes": "\n\n".join([text, report.table(head, rows), limit, machine])}


def _row(name: str, pairs: Pairs, gflop: float | None, peak: float) -> list[str]:
    theirs, ours = (seconds / BATCH for seconds in (pairs.their_seconds, pairs.our_seconds))
    rate = [f"{gflop:.2f}", f"{gflop / ours:.0f}", f"{gflop / ours / peak:.0%}"] if gflop else ["-", "-", "-"]
    return [name, f"{1e3 * theirs:.3g}", f"{1e3 * ours:.3g}", ratio_text(pairs), *rate]


def _measure(workshop: Workshop, name: str) -> Pairs:
    with (
        workshop.start("torch_stages:stage", name=name, batch=BATCH) as theirs,
        workshop.start("jax_stages:stage", name=name, batch=BATCH) as ours,
    ):
        return alternate(theirs, ours, workshop.plan.rounds, workshop.plan.window_seconds)


def _forward(workshop: Workshop) -> Pairs:
    with (
        workshop.start("torch_jobs:forward", batch=BATCH) as theirs,
        workshop.start("jax_jobs:forward", batch=BATCH) as ours,
    ):
        return alternate(theirs, ours, workshop.plan.rounds, workshop.plan.window_seconds)


def _peak_gflops(workshop: Workshop) -> tuple[float, float]:
    """Of a matrix product: PyTorch's, XLA's."""
    size = workshop.plan.matmul_size
    with (
        Contestant("benchmarks.torch_stages:matmul", {"size": size}) as theirs,
        Contestant("benchmarks.jax_stages:matmul", {"size": size}) as ours,
    ):
        pairs = alternate(theirs, ours, workshop.plan.rounds, workshop.plan.window_seconds)
    return tuple(2 * size**3 / seconds / 1e9 for seconds in (pairs.their_seconds, pairs.our_seconds))
