"""Everything that is measured, with one command:

    python -m benchmarks.run [--jobs forward,training,...] [--rounds N] [--quick] [--write docs/benchmarks.md]

Ours and a PyTorch implementation of the same network (reference/) work in turn, each in a process of its own, with
the same weights and as many threads as there are cores; ratios are of times taken next to each other. Measure on an
idle machine. Needs PyTorch; the job `evaluation` also pysaliency, else it is left out.
"""

import argparse
import dataclasses
import importlib.util
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import neighbours, report
from benchmarks.memory import memory
from benchmarks.scaling import linear
from benchmarks.speed import dense, film, forward, training
from benchmarks.stages import stages
from benchmarks.startup import startup
from benchmarks.workshop import QUICK, Plan, Workshop
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError

# Name -> workshop, where a picture may be written (None: nowhere) -> {title: text} of sections.
JOBS: dict[str, Callable[[Workshop, Path | None], dict[str, str]]] = {
    "forward": lambda workshop, _: forward(workshop),
    "training": lambda workshop, _: training(workshop),
    "dense": lambda workshop, _: dense(workshop),
    "film": lambda workshop, _: film(workshop),
    "input": lambda workshop, _: neighbours.input_pipeline(workshop.plan, workshop.load),
    "evaluation": lambda workshop, _: neighbours.evaluation(workshop.plan),
    "memory": lambda workshop, _: memory(workshop),
    "startup": lambda workshop, _: startup(workshop),
    "linear": linear,
    "stages": lambda workshop, _: stages(workshop),
}
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
        raise UserError("PyTorch: not installed here, and is what is measured against. Run pip install torch.")
    if options.quick:
        print("A toy network, one round: whether all works. The figures mean nothing.\n", flush=True)
    plan = QUICK if options.quick else Plan()
    if options.rounds is not None:
        plan = dataclasses.replace(plan, rounds=options.rounds)
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        workshop = Workshop(plan, Path(folder))
        on_cpu = workshop.device["platform"] == "cpu"
        for name in jobs:
            picture = options.write.with_name(PICTURE) if options.write else None
            for title, text in JOBS[name](workshop, picture).items():
                title += "" if on_cpu else f", {workshop.device['kind']}"  # one page holds figures of several devices
                print(f"## {title}\n\n{text}\n", flush=True)
                if options.write:  # at once: a run that is broken off keeps what it has
                    report.write_section(options.write, title, text)


def _jobs(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in JOBS]
    if unknown or not names:
        raise UserError(f"--jobs {text}: choose from {','.join(JOBS)}.")
    return names


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", default=",".join(JOBS), metavar="NAMES", help="which; default: %(default)s")
    parser.add_argument("--rounds", type=int, metavar="N", help=f"pairs of times a row; default: {Plan.rounds}")
    parser.add_argument("--quick", action="store_true", help="a toy network, a round: whether all works, no figures")
    parser.add_argument("--write", type=Path, metavar="FILE", help="Markdown page whose sections are replaced")
    return parser


if __name__ == "__main__":
    main()
