"""Start to first map: imports, weights, compilation, and the first maps of a film."""

import statistics
import time
from pathlib import Path

from benchmarks import report, targets
from benchmarks.plan import MALLOCS
from benchmarks.session import Session

MOST_ROUNDS = 3  # a first run takes long
BATCH_SIZE = 4


def measure(session: Session) -> dict[str, str]:
    plan = session.plan
    seconds: dict[str, list[float]] = {"PyTorch": [], "ours, first run ever": [], "ours, later runs": []}
    session.weights(plan.depth, plan.size)  # before the clock runs
    for number in range(min(plan.rounds, MOST_ROUNDS)):
        cache = session.folder / f"startup-{number}"
        for name, of_name in seconds.items():
            of_name.append(_seconds(session, "dense:theirs" if name == "PyTorch" else "dense:ours", cache))
    rows = []
    for name, of_name in seconds.items():
        median = statistics.median(of_name)
        goal = targets.columns(f"first map, {name}, seconds", median)
        rows.append([name, f"{median:.1f}", f"{min(of_name):.1f} to {max(of_name):.1f}", *goal])
    text = (
        "Seconds from the start of a process to the first maps of a film that is in memory, in batches of "
        f"{BATCH_SIZE} clips. The first run ever compiles the network; later ones find it on disk. "
        f"Depth {plan.depth}, {plan.size} pixels."
    )
    return session.section("Start to first map", text, report.table(["", "seconds", "range", *targets.HEAD], rows))


def _seconds(session: Session, function: str, cache: Path) -> float:
    environment = MALLOCS["as commands"].ours | {"JAX_COMPILATION_CACHE_DIR": str(cache)}
    begin = time.perf_counter()
    with session.start(function, environment=environment, num_frames=BATCH_SIZE):
        return time.perf_counter() - begin
