"""Peak memory of a process of each side: interpreter, libraries, weights and work."""

from typing import Any

from benchmarks import report, targets
from benchmarks.plan import MALLOCS
from benchmarks.session import Session

CALLS = 3  # of the job, the one at the start included


def measure(session: Session) -> dict[str, str]:
    plan = session.plan
    jobs: dict[str, tuple[str, dict[str, Any]]] = {
        f"forward, batch {plan.forward_batches[-2]}": ("forward", {"batch": plan.forward_batches[-2]}),
        "dense prediction": ("dense", {"num_frames": plan.film_frames}),
        f"training step, batch {plan.training_batch}": ("training", {"batch": plan.training_batch}),
    }
    rows = []
    for number, (name, (job, arguments)) in enumerate(jobs.items()):
        own_cache = {"JAX_COMPILATION_CACHE_DIR": str(session.folder / f"memory-{number}")}
        as_commands = MALLOCS["as commands"].ours | own_cache
        theirs = _peak_bytes(session, f"{job}:theirs", {}, arguments)
        compiling = _peak_bytes(session, f"{job}:ours", as_commands, arguments)
        ours = _peak_bytes(session, f"{job}:ours", as_commands, arguments)
        megabytes = [f"{size / 2**20:.0f}" for size in (theirs, ours, compiling)]
        goal = targets.columns(f"memory, {name}", ours / theirs)
        rows.append([name, *megabytes, f"**{ours / theirs:.2f}**", f"{compiling / theirs:.2f}", *goal])
    head = ["", "PyTorch, MiB", "ours, MiB", "ours, first run ever", "ours / PyTorch", "first run", *targets.HEAD]
    text = (
        f"Peak resident memory, the host's, of a process that does the job {CALLS} times, libraries and weights "
        "included; ours as commands. The first run ever also compiles; later ones find the compiled functions on disk. "
        f"Depth {plan.depth}, {plan.size} pixels, dense prediction of {plan.film_frames} frames."
    )
    return session.section("Peak memory", text, report.table(head, rows))


def _peak_bytes(session: Session, function: str, environment: dict[str, str], arguments: dict[str, Any]) -> int:
    with session.start(function, environment=environment, **arguments) as worker:
        return max(worker.run().peak_bytes for _ in range(CALLS - 1))
