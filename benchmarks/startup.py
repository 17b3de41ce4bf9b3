"""From the start of a process to a film's first maps, a batch of them: imports, weights, compiling, one pass."""

import statistics
import time
from pathlib import Path

from benchmarks import report, targets
from benchmarks.workshop import MALLOCS, Workshop

MOST_ROUNDS = 3  # cold starts are long


def startup(workshop: Workshop) -> dict[str, str]:
    """Title -> text of a section."""
    theirs, cold, cached = [], [], []
    workshop.weights(workshop.plan.depth, workshop.plan.size)  # before the clock runs
    for number in range(min(workshop.plan.rounds, MOST_ROUNDS)):
        cache = workshop.folder / f"startup-{number}"
        theirs.append(_seconds(workshop, "torch_jobs:first_map", cache))
        cold.append(_seconds(workshop, "jax_jobs:first_map", cache))
        cached.append(_seconds(workshop, "jax_jobs:first_map", cache))
    rows = [
        [f"{name}", f"{statistics.median(seconds):.1f}", f"{min(seconds):.1f} to {max(seconds):.1f}", *goal]
        for name, seconds, goal in (
            ("PyTorch", theirs, ["-", "-", "-"]),
            ("ours, first run ever", cold, workshop.goal("first map, cold, seconds", statistics.median(cold))),
            ("ours, later runs", cached, workshop.goal("first map, cached, seconds", statistics.median(cached))),
        )
    ]
    text = (
        "Seconds from the start of a process to the first maps of a film that is in memory, in batches of 4 clips. The "
        "first run ever compiles the network; later ones find it on disk. "
        f"Depth {workshop.plan.depth}, {workshop.plan.size} pixels."
    )
    table = report.table(["", "seconds", "range", *targets.HEAD], rows)
    machine = workshop.machine("jax", "torch")
    return {"Start to first map": "\n\n".join([text, table, f"`python -m benchmarks.run`. {machine}."])}


def _seconds(workshop: Workshop, job: str, cache: Path) -> float:
    begin = time.perf_counter()
    with workshop.start(job, environment=MALLOCS["as commands"].ours | {"JAX_COMPILATION_CACHE_DIR": str(cache)}):
        return time.perf_counter() - begin
