"""Input pipeline: training clips from shards, and from the raw layout decoded anew for every clip."""

import atexit
import math
import os
import random
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import report, targets
from benchmarks.paired_timing import Pairs, Worker, alternate
from benchmarks.session import Session

BATCH_SIZE = 4
WAYS = (  # name, PyTorch's DataLoader or a plain loop, worker processes; without any, both sides stay on one core
    ("one core, a plain loop", False, 0),
    ("one core, PyTorch's DataLoader", True, 0),
    ("1 worker", True, 1),
    ("2 workers", True, 2),
)


def theirs(raw: str, shards: str, data_loader: bool, num_workers: int) -> Callable[[], object]:
    """Reads batches of random clips from the folder `raw`, by PyTorch's DataLoader or in a plain loop."""
    from benchmarks.reference.raw_clips import RawClips
    from data_pipelines.synthetic.database import DATABASE

    _stay_on_one_core(num_workers)
    clips = RawClips(raw, DATABASE)
    if not data_loader:

        def job() -> dict[str, np.ndarray]:
            items = [clips[random.randrange(len(clips))] for _ in range(BATCH_SIZE)]
            return {key: np.stack([item[key] for item in items]) for key in items[0]}

        return job
    from torch.utils.data import DataLoader, RandomSampler

    sampler = RandomSampler(clips, replacement=True, num_samples=10**9)
    batches = iter(DataLoader(clips, BATCH_SIZE, sampler=sampler, num_workers=num_workers))
    return lambda: {key: value.numpy() for key, value in next(batches).items()}


def ours(raw: str, shards: str, data_loader: bool, num_workers: int) -> Callable[[], object]:
    """Reads batches from the folder `shards`, as training does."""
    from data_pipelines.clips.batches import training_batches

    _stay_on_one_core(num_workers)
    batches = training_batches(shards, split=1, batch_size=BATCH_SIZE, seed=0, num_workers=num_workers)
    atexit.register(batches.close)
    return lambda: next(batches)


def measure(session: Session) -> dict[str, str]:
    from benchmarks.films import make_films

    plan = session.plan
    speeds, sizes = [], []
    with tempfile.TemporaryDirectory() as folder:
        for width, height in plan.loader_sizes:
            films = make_films(Path(folder) / f"{width}x{height}", (width, height))
            for name, data_loader, num_workers in WAYS:
                arguments = {"raw": str(films.raw), "shards": str(films.shards)}
                arguments |= {"data_loader": data_loader, "num_workers": num_workers}
                pairs = read_in_turn(arguments, plan.rounds, plan.loader_seconds)
                speeds.append([f"{width}x{height}, {name}", *_cells(pairs)])
                speeds[-1] += targets.columns(speeds[-1][0], pairs.ratio)
            kilobytes = [f"{films.kilobytes_per_frame(part):.0f}" for part in (films.raw, films.shards)]
            sizes.append([f"{width}x{height}", *kilobytes])
    return session.section(
        "Input pipeline",
        f"Clips a second in batches of {BATCH_SIZE}: random 16 frames of a window, mirrored half of the time, with "
        "maps and sound. Raw layout: 16 JPEGs decoded and resized for every clip, by a loader of our own. Shards hold "
        "the pictures as `prepare` has resized them, once; its time is not counted. Files in the page cache.",
        report.table(["frames, how", "raw layout", "shards", "times as fast", *targets.HEAD], speeds),
        "Rates are medians; so is the ratio, of the pairs' ratios, with their range. On disk, all included:",
        report.table(["frames", "raw layout, kB a frame", "shards, kB a frame"], sizes),
    )


def read_in_turn(arguments: dict[str, object], rounds: int, seconds: float) -> Pairs:
    """Times batches of both sides. Before each time, a side reads for half as long, so that no read-ahead counts."""
    name = "benchmarks.jobs.input_pipeline"
    with Worker(f"{name}:theirs", arguments) as theirs, Worker(f"{name}:ours", arguments) as ours:
        # Other programs are not looked for: the processes of a loader would count as such.
        return alternate(theirs, ours, rounds, seconds, settle=seconds / 2, quiet_cores=math.inf)


def _cells(pairs: Pairs) -> list[str]:
    rates = [BATCH_SIZE / statistics.median(t.seconds for t in side) for side in (pairs.theirs, pairs.ours)]
    ratio = f"**{pairs.ratio:.0f}** ({min(pairs.ratios):.0f} to {max(pairs.ratios):.0f})"
    return [f"{rates[0]:.1f}", f"{rates[1]:.0f}", ratio]


def _stay_on_one_core(num_workers: int) -> None:
    if num_workers == 0 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
