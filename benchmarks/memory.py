"""The most memory that a process of each side has at once, everything in it: interpreter, libraries, weights."""

from typing import Any

from benchmarks import report
from benchmarks.paired import Contestant
from benchmarks.speed import OUR_JOBS
from benchmarks.workshop import MALLOCS, Workshop

CALLS = 3


def memory(workshop: Workshop) -> dict[str, str]:
    """Title -> text of a section."""
    plan = workshop.plan
    jobs = {
        f"forward, batch {plan.forward_batches[-2]}": ("forward", {"batch": plan.forward_batches[-2]}),
        "dense prediction": ("dense", {"num_frames": plan.film_frames}),
        f"training step, batch {plan.training_batch}": ("training", {"batch": plan.training_batch}),
    }
    rows = []
    for number, (name, (job, arguments)) in enumerate(jobs.items()):
        theirs = _peak(workshop, f"torch_jobs:{job}", arguments)
        own_cache = MALLOCS["as commands"].ours | {
            "JAX_COMPILATION_CACHE_DIR": str(workshop.folder / f"memory-{number}")
        }
        compiling = _peak(workshop, OUR_JOBS[job], arguments, own_cache)
        ours = _peak(workshop, OUR_JOBS[job], arguments, own_cache)
        goal = workshop.goal(f"memory, {name}", ours / theirs)
        megabytes = [f"{size / 2**20:.0f}" for size in (theirs, ours, compiling)]
        rows.append([name, *megabytes, f"**{ours / theirs:.2f}**", f"{compiling / theirs:.2f}", *goal])
    head = [
        "",
        "PyTorch, MiB",
        "ours, MiB",
        "ours, first run ever",
        "ours / PyTorch",
        "first run",
        "must",
        "aim",
        "met",
    ]
    text = (
        f"Peak resident memory, the host's, of a process that does the job {CALLS} times, libraries and weights "
        "included; ours as commands. The first run ever also compiles; later ones find the compiled functions on disk. "
        f"Depth {plan.depth}, {plan.size} pixels, dense prediction of {plan.film_frames} frames."
    )
    machine = workshop.machine("jax", "torch")
    return {"Peak memory": "\n\n".join([text, report.table(head, rows), f"`python -m benchmarks.run`. {machine}."])}


def _peak(workshop: Workshop, job: str, arguments: dict[str, Any], environment: dict[str, str] | None = None) -> int:
    with workshop.start(job, environment=environment, **arguments) as contestant:
        return peak_after(contestant, CALLS)


def peak_after(contestant: Contestant, calls: int) -> int:
    """Bytes, after so many calls in all; starting it was the first."""
    for _ in range(calls - 1):
        contestant.run()
    return contestant.peak_bytes()
