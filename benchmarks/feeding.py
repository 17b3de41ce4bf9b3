"""Measures how fast clips are read from shards, in stacked batches, while nothing else runs:

    python -m benchmarks.feeding [--shards SHARDS] [--workers 0 2] [--seconds N] [--against CHECKOUT]

Each speed is measured in a process of its own: without reading processes on one core, with them on all. CHECKOUT is a
folder with the code of another version, from `git worktree add` or `git archive`. It then reads the same shards in turn
with this version. Measure on an idle machine. The default shards are synthetic, of 112 x 112 pixels.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report
from data_pipelines.runtime.arguments import non_negative_integer
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError

HERE = Path(__file__).parents[1]
BATCH_SIZE = 32
ROUNDS = 3
WARM_UP_CLIPS = 3200  # so that each frame was read once: its checksum is checked then

# Runs in the folder of a version. The path of the module changed after version 0.1.
PROGRAM = """
import json, os, sys, time
shards, workers, seconds, warm_up, batch_size = sys.argv[1], *map(float, sys.argv[2:])
if not workers and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

def main():
    try:
        from data_pipelines.clips.batches import training_batches
    except ImportError:
        from data_pipelines.batches import training_batches
    batches = training_batches(shards, split=1, batch_size=int(batch_size), seed=0, num_workers=int(workers))
    for _ in range(max(1, int(warm_up / batch_size))):
        batch = next(batches)
    names = batch.keys() - {"film", "clip_index", "target_frame"}
    clips, begin = 0, time.perf_counter()
    while time.perf_counter() < begin + seconds:
        next(batches)
        clips += int(batch_size)
    rate = clips / (time.perf_counter() - begin)
    print(json.dumps([rate, sum(batch[name].nbytes for name in names) / batch_size]))
    batches.close()

if __name__ == "__main__":
    main()
"""


@command
def main(argv: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(argv)
    if not options.seconds > 0:
        raise UserError(f"--seconds {options.seconds:g}: give more than 0.")
    versions = {"this version": HERE}
    if options.against is not None:
        if not (options.against / "data_pipelines").is_dir():
            raise UserError(f"--against {options.against}: holds no data_pipelines. Give a folder with the code.")
        versions[options.against.name] = options.against
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        shards = options.shards or _synthetic(Path(folder))
        rows = []
        for workers in options.workers:
            found = {name: [] for name in versions}
            for _ in range(ROUNDS):
                for name, code in versions.items():
                    found[name].append(_measure(code, Path(folder), shards, workers, options.seconds))
            for name, figures in found.items():
                rates = [rate for rate, _ in figures]
                spread = f"{statistics.median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})"
                rows.append([name, str(workers), spread, f"{figures[0][1] / 1e3:.0f}"])
    print(report.table(["version", "processes", "clips/s", "kB a clip"], rows))


def _synthetic(folder: Path) -> Path:
    from benchmarks.films import make_films

    return make_films(folder / "films", (320, 240)).shards


def _measure(code: Path, folder: Path, shards: Path, workers: int, seconds: float) -> tuple[float, float]:
    """Returns clips a second, and the bytes of a clip that go to the devices."""
    program = folder / "program.py"  # a file, because reading processes import it
    program.write_text(PROGRAM, encoding="utf-8")
    arguments = [str(shards.absolute()), *map(str, (workers, seconds, WARM_UP_CLIPS, BATCH_SIZE))]
    environment = os.environ | {"PYTHONPATH": str(code.absolute())}
    command_line = [sys.executable, str(program), *arguments]
    run = subprocess.run(command_line, cwd=code, env=environment, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        lines = run.stderr.strip().splitlines() or [f"code {run.returncode}"]
        raise UserError(
            f"{code}: reading {shards} with {workers} processes failed: {lines[-1].rpartition('UserError: ')[2]}"
        )
    rate, size = json.loads(run.stdout.splitlines()[-1])
    return rate, size


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.feeding", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shards", type=Path, metavar="SHARDS", help="folder of shards; default: synthetic ones")
    parser.add_argument(
        "--workers", type=non_negative_integer, nargs="+", default=[0, 2], metavar="N", help="default: 0 2"
    )
    parser.add_argument("--seconds", type=float, default=3.0, metavar="N", help="time of a measurement; default: 3")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="folder with another version of the code")
    return parser


if __name__ == "__main__":
    main()
