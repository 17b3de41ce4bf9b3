"""Clips a second from shards, as training reads them, against the raw layout read anew for every clip.

python -m benchmarks.input_pipeline

Makes its own films; takes about five minutes. Writes the section "Input pipeline" of docs/benchmarks.md.
"""

import argparse
import contextlib
import dataclasses
import functools
import importlib.util
import itertools
import multiprocessing
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from benchmarks import report
from benchmarks.films import Films, make_films
from benchmarks.reference.raw_clips import RawClips
from data_pipelines.clips.batches import training_batches
from data_pipelines.runtime.command import command
from data_pipelines.synthetic.database import DATABASE

SECTION = "Input pipeline"
BATCH_SIZE = 4
FRAME_SIZES = ((640, 480), (160, 120))


def shard_batches(films: Films, num_workers: int) -> Iterator:
    return training_batches(films.shards, split=1, batch_size=BATCH_SIZE, seed=0, num_workers=num_workers)


def plain_batches(films: Films) -> Iterator:
    """A loop over random items, stacked: the least a loader of the raw layout can do."""
    clips = RawClips(films.raw, DATABASE)
    while True:
        items = [clips[random.randrange(len(clips))] for _ in range(BATCH_SIZE)]
        yield {key: np.stack([item[key] for item in items]) for key in items[0]}


def torch_batches(films: Films, num_workers: int) -> Iterator:
    from torch.utils.data import DataLoader, RandomSampler

    clips = RawClips(films.raw, DATABASE)
    sampler = RandomSampler(clips, replacement=True, num_samples=10**9)
    return iter(DataLoader(clips, BATCH_SIZE, sampler=sampler, num_workers=num_workers))


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One row: two ways to the same batches. `one_core`: both stay on the same one."""

    name: str
    raw: Callable[[Films], Iterator]
    num_workers: int
    one_core: bool


def comparisons() -> list[Comparison]:
    """Those with PyTorch's loader only where PyTorch is installed."""
    plain = [Comparison("one core, a plain loop", plain_batches, 0, one_core=True)]
    torch = [
        Comparison(name, functools.partial(torch_batches, num_workers=workers), workers, one_core=not workers)
        for workers, name in enumerate(("one core, PyTorch's DataLoader", "1 worker", "2 workers"))
    ]
    return plain + (torch if importlib.util.find_spec("torch") else [])


def measure(comparison: Comparison, films: Films, rounds: int, seconds: float) -> list[tuple[float, float]]:
    """Clips a second of the raw layout and of shards, a pair a round, each loader in a process of its own."""
    shards = functools.partial(shard_batches, num_workers=comparison.num_workers)
    with (
        _loader(comparison.raw, films, comparison.one_core) as raw,
        _loader(shards, films, comparison.one_core) as ours,
    ):
        return [(raw(seconds), ours(seconds)) for _ in range(rounds)]


@contextlib.contextmanager
def _loader(make: Callable[[Films], Iterator], films: Films, one_core: bool) -> Iterator[Callable[[float], float]]:
    """A function: seconds to read for -> clips a second."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, make, films, one_core))
    process.start()
    theirs.close()  # so that `recv` fails, not waits, when the process is gone

    def rate(seconds: float) -> float:
        ours.send(seconds)
        return ours.recv()

    try:
        yield rate
    finally:
        ours.close()
        process.join()


def _serve(requests: Connection, make: Callable[[Films], Iterator], films: Films, one_core: bool) -> None:
    if one_core and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    batches = make(films)
    with contextlib.suppress(EOFError):  # the other end was closed
        while True:
            requests.send(_rate(batches, requests.recv()))
    if hasattr(batches, "close"):
        batches.close()


def _rate(batches: Iterator, seconds: float) -> float:
    # What this loader had ready does not count, and the other one, now idle, may fill its buffers again.
    _read(batches, seconds / 2)
    return _read(batches, seconds)


def _read(batches: Iterator, seconds: float) -> float:
    begin = time.perf_counter()
    for count in itertools.count(1):
        next(batches)
        passed = time.perf_counter() - begin
        if passed >= seconds:
            return count * BATCH_SIZE / passed


def run(
    output: Path, *, frame_sizes=FRAME_SIZES, rounds: int = 5, seconds: float = 2.0, load: float | None = None
) -> str:
    """Measures, writes the section into OUTPUT/benchmarks.md, and returns it. `load`: of the machine before; now's."""
    load = report.load() if load is None else load
    machine = report.machine("grain", "array_record", "numpy", "pillow", "torch", load=load)
    speeds, sizes = [], []
    with tempfile.TemporaryDirectory() as folder:
        for width, height in frame_sizes:
            films = make_films(Path(folder) / f"{width}x{height}", (width, height))
            for row in comparisons():
                speeds.append([f"{width}x{height}, {row.name}", *_speeds(measure(row, films, rounds, seconds))])
            sizes.append(
                [f"{width}x{height}", *(f"{films.kilobytes_per_frame(x):.0f}" for x in (films.raw, films.shards))]
            )
    text = "\n\n".join(
        [
            f"`python -m benchmarks.input_pipeline`. Clips a second in batches of {BATCH_SIZE}: random 16 frames of a "
            "window, mirrored half of the time, with maps and sound. Raw layout: 16 JPEGs decoded and resized for "
            "every clip, by a loader of our own. Shards hold the pictures as `prepare` has resized them, once; its "
            "time is not counted. Files in the page cache.",
            report.table(["frames, how", "raw layout", "shards", "times as fast"], speeds),
            "Rates are medians; so is the ratio, of the pairs' ratios, with their range. On disk, all included:",
            report.table(["frames", "raw layout, kB a frame", "shards, kB a frame"], sizes),
            f"Measured on {machine}.",
        ]
    )
    report.write_section(output / "benchmarks.md", SECTION, text)
    return text


def _speeds(pairs: Sequence[tuple[float, float]]) -> tuple[str, str, str]:
    raw, shards = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratios = [ours / theirs for theirs, ours in pairs]
    ratio = f"**{statistics.median(ratios):.0f}** ({min(ratios):.0f} to {max(ratios):.0f})"
    return f"{raw:.1f}", f"{shards:.0f}", ratio


@command
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.input_pipeline", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--output", type=Path, default=Path("docs"), metavar="DIR", help="folder of benchmarks.md (default: docs)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="pairs of measurements a row (default: 5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a measurement (default: 2)")
    flags = parser.parse_args(argv)
    print(run(flags.output, rounds=flags.rounds, seconds=flags.seconds))


if __name__ == "__main__":
    main()
