"""Measures everything on the CPU:

    python -m benchmarks.run [--jobs forward training ...] [--rounds N] [--quick] [--write docs/benchmarks.md]

Our network and a PyTorch implementation of it (reference/) work in turn, each in a process of its own, with the same
weights and as many threads as there are cores. Ratios compare times measured one after the other. Measure on an idle
machine. Needs PyTorch; the job `scoring` also needs pysaliency and is left out without it.
"""

import argparse
import dataclasses
import importlib
import importlib.util
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.plan import QUICK, Plan
from benchmarks.session import Session
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError

JOBS = (  # modules of benchmarks/jobs
    "forward",
    "training",
    "dense",
    "depths",
    "film",
    "input_pipeline",
    "scoring",
    "memory",
    "startup",
    "growth",
    "stages",
    "conv3d",
)
PICTURE = "benchmarks_linear.png"  # beside the page


@command
def main(argv: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(argv)
    jobs = _jobs(options.jobs)
    if options.rounds is not None and options.rounds < 1:
        raise UserError(f"--rounds {options.rounds}: expected 1 or more.")
    if options.quick and options.write:
        raise UserError("--quick --write: figures of a toy network are not for the page. Leave one of them out.")
    if importlib.util.find_spec("torch") is None:
        raise UserError("PyTorch is not installed, and every job is measured against it. Run pip install torch.")
    if options.quick:
        print("A toy network, one round, to check that everything works. The figures mean nothing.\n", flush=True)
    plan = QUICK if options.quick else Plan()
    if options.rounds is not None:
        plan = dataclasses.replace(plan, rounds=options.rounds)
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        session = Session(plan, Path(folder), options.write.with_name(PICTURE) if options.write else None)
        for job in jobs:
            for title, text in importlib.import_module(f"benchmarks.jobs.{job}").measure(session).items():
                print(f"## {title}\n\n{text}\n", flush=True)
                if options.write:  # at once, so that an interrupted run keeps what it has measured
                    report.write_section(options.write, title, text)


def _jobs(words: Sequence[str]) -> list[str]:
    names = [name for word in words for name in word.split(",") if name]
    unknown = [name for name in names if name not in JOBS]
    if unknown or not names:
        raise UserError(f"--jobs {' '.join(words)}: choose from {', '.join(JOBS)}.")
    return names


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", nargs="+", default=JOBS, metavar="NAME", help=f"default: {' '.join(JOBS)}")
    parser.add_argument("--rounds", type=int, metavar="N", help=f"pairs of times per row; default: {Plan.rounds}")
    parser.add_argument("--quick", action="store_true", help="a toy network, one round: checks that everything works")
    parser.add_argument("--write", type=Path, metavar="FILE", help="Markdown page whose sections are replaced")
    return parser


if __name__ == "__main__":
    main()
