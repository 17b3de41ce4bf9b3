"""Predicts odd films again and again in one process, and checks that its memory and open files stay the same:

    python -m benchmarks.soak [--seconds N] [--films FOLDER] [--checkpoint PATH] [--write FILE.csv]

After every film, it reads the resident memory, the open files and the threads from /proc. The first pass over the films
is the warm-up. The verdict compares the last pass with the second: the median memory may be 5% larger, open files and
threads may not be more. The exit code is 1 if they are, or if the time is too short for three passes. Without --films,
it writes short films of many kinds: damaged, without sound, of odd sizes and times.
"""

import argparse
import contextlib
import csv
import dataclasses
import logging
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.odd_films import write_odd_films
from data_pipelines.films.film import open_film
from data_pipelines.films.paths import find_films
from data_pipelines.runtime.arguments import positive_integer
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError
from stavis_jax.cli.process import keep_big_buffers

MOST_GROWTH = 1.05  # of the median memory after a film, from the second pass to the last
FEWEST_PASSES = 3
OUTPUTS = ("maps", "overlay", "track", "npz", "contact-sheet", "thumbnail")
LINE_EVERY_S = 60


@dataclasses.dataclass(frozen=True)
class Sample:
    """What the process holds after a film. memory: resident bytes."""

    number: int  # of the pass, from 1
    film: str
    seconds: float
    memory: int
    files: int
    threads: int


@command
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--seconds", type=positive_integer, default=600, metavar="N", help="seconds to predict (default: 600)"
    )
    parser.add_argument("--films", type=Path, metavar="FOLDER", help="films to predict (default: odd short ones)")
    parser.add_argument("--checkpoint", type=Path, metavar="PATH", help="network (default: the starter)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="CSV file for a row after every film")
    options = parser.parse_args(argv)
    if not Path("/proc/self/statm").exists():
        raise UserError("/proc: is not mounted, and memory and open files are read from it. Run this on Linux.")
    logging.getLogger().setLevel(logging.ERROR)  # the same warnings in every pass
    keep_big_buffers()  # as `predict` does
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        films = find_films([options.films]) if options.films else write_odd_films(Path(folder) / "films")
        samples: list[Sample] = []
        try:
            with _rows(options.write) as write:
                for sample in soak(films, _predicts(options.checkpoint, Path(folder) / "output"), options.seconds):
                    samples.append(sample)
                    write(dataclasses.astuple(sample))
        finally:
            print(verdict(samples), flush=True)
    if grows(samples):
        raise UserError("--seconds: the process grows, or the time was too short. The line above gives the figures.")


def soak(films: Sequence[Path], predict: Callable[[Path], None], seconds: float) -> Iterator[Sample]:
    """Predicts the films in turn until the time is over, yields what the process holds after each, and prints lines."""
    begin, told, number = time.monotonic(), 0.0, 0
    while True:
        number += 1
        for film in films:
            predict(film)
            now = time.monotonic() - begin
            sample = Sample(number, film.name, round(now, 1), *held())
            yield sample
            if now > told + LINE_EVERY_S:
                told = now
                print(f"{now:6.0f} s  pass {number:4}  {_figures([sample])}", flush=True)
            if now > seconds:
                return


def held() -> tuple[int, int, int]:
    """Returns the resident memory of this process in bytes, its open files, and its threads."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    open_files = len(list(Path("/proc/self/fd").iterdir())) - 1  # without the one that lists them
    return int(status["VmRSS"].split()[0]) << 10, open_files, int(status["Threads"])


def grows(samples: Sequence[Sample]) -> bool:
    """Returns whether the process holds more in the last whole pass than in the second, or there are too few passes."""
    passes = whole_passes(samples)
    if len(passes) < FEWEST_PASSES:
        return True
    early, late = passes[1], passes[-1]
    return (
        _memory(late) > MOST_GROWTH * _memory(early)
        or max(sample.files for sample in late) > max(sample.files for sample in early)
        or max(sample.threads for sample in late) > max(sample.threads for sample in early)
    )


def verdict(samples: Sequence[Sample]) -> str:
    passes = whole_passes(samples)
    if len(passes) < FEWEST_PASSES:
        return f"too short: {len(passes)} whole passes, {FEWEST_PASSES} are needed"
    change = 100 * (_memory(passes[-1]) / _memory(passes[1]) - 1)
    highest = max(sample.memory for of in passes[1:] for sample in of) / 2**20
    return (
        f"{'GROWS' if grows(samples) else 'flat'}: {len(samples)} films in {len(passes)} passes, "
        f"{samples[-1].seconds:.0f} s. Pass 2: {_figures(passes[1])}. Last: {_figures(passes[-1])}. "
        f"Memory {change:+.1f}%, at most {highest:.0f} MiB."
    )


def whole_passes(samples: Sequence[Sample]) -> list[list[Sample]]:
    passes: dict[int, list[Sample]] = {}
    for sample in samples:
        passes.setdefault(sample.number, []).append(sample)
    first = len(passes.get(1, ()))
    return [of for of in passes.values() if len(of) == first]


def _memory(samples: Sequence[Sample]) -> float:
    return statistics.median(sample.memory for sample in samples)


def _figures(samples: Sequence[Sample]) -> str:
    files, threads = (max(getattr(sample, name) for sample in samples) for name in ("files", "threads"))
    return f"{_memory(samples) / 2**20:.0f} MiB, {files} open files, {threads} threads"


def _predicts(checkpoint: Path | None, output: Path) -> Callable[[Path], None]:
    """Returns a function that predicts a film, as the command `predict` does, and removes the result."""
    from stavis_jax.cli.process import enable_compilation_cache
    from stavis_jax.outputs.many_films import predict_films
    from stavis_jax.outputs.options import PredictionOptions
    from stavis_jax.prediction.model import load

    enable_compilation_cache()
    model, options = load(checkpoint), PredictionOptions(OUTPUTS)

    def predict(film: Path) -> None:
        with contextlib.suppress(UserError):  # some films are no films
            for _ in predict_films(
                [(film, output)],
                lambda: model,
                options,
                open_film=lambda path: open_film(path, stills=True),
                overwrite=True,
                progress=lambda name: contextlib.nullcontext(lambda num_frames: lambda done: None),
            ):
                pass
        shutil.rmtree(output, ignore_errors=True)

    return predict


@contextlib.contextmanager
def _rows(path: Path | None) -> Iterator[Callable[[Sequence[object]], None]]:
    """Yields a function that writes a row to a CSV file at once, or does nothing without a file."""
    if path is None:
        yield lambda row: None
        return
    with path.open("w", encoding="utf-8", newline="", buffering=1) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in dataclasses.fields(Sample)])
        yield writer.writerow


if __name__ == "__main__":
    main()
