"""Measures everything on this machine's accelerator, the most valuable first, within a time budget.

python -m benchmarks.accelerator --output FIGURES
"""

import argparse
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from benchmarks.accelerator.plan import SMALL, Scale, Section, sections
from benchmarks.accelerator.supervisor import Supervisor
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError


@command
def main(argv: Sequence[str] | None = None) -> None:
    flags = _parser().parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="accelerator-") as temporary:
        work, output = (flags.work or Path(temporary)).absolute(), flags.output.absolute()
        planned = sections(SMALL if flags.small else Scale(), str(work), str(output))
        if flags.sections:
            names = [section.name for section in planned]
            planned = [section for section in planned if any(word in section.name for word in flags.sections)]
            if not planned:
                raise UserError(
                    f"--sections {' '.join(flags.sections)}: no section has this word. They are: {'; '.join(names)}."
                )
        supervisor = Supervisor(work, output, flags.budget)
        background = []
        for section in planned:
            environment = environment_of(section, work)
            if flags.small:
                environment["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # most of a trial is compilation
            if section.background:
                background.append(threading.Thread(target=supervisor.run, args=(section, environment)))
                background[-1].start()
                continue
            if section.name == "input pipeline":  # it reads the shards
                for thread in background:
                    thread.join()
            supervisor.run(section, environment)
        for thread in background:
            thread.join()
        print("\n" + supervisor.close(), flush=True)


def environment_of(section: Section, work: Path) -> dict[str, str]:
    """Returns the environment variables of a section's process: caches of compiled functions, and XLA's flags."""
    environment = {"JAX_COMPILATION_CACHE_DIR": str(work / "compiled"), "TORCHINDUCTOR_CACHE_DIR": str(work / "torch")}
    if section.background:
        environment["JAX_PLATFORMS"] = "cpu"
    if section.flags:
        environment["XLA_FLAGS"] = section.flags
    return environment


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accelerator",
        description=(__doc__ or "").partition("\n")[0],
        epilog="A second run with the same --work continues with the measurements that the first had no time for.",
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder for figures, their table, the log and traces",
    )
    parser.add_argument("--budget", type=float, default=400, help="time budget in seconds (default: 400)")
    parser.add_argument(
        "--work",
        type=Path,
        metavar="DIR",
        help="folder for shards, caches and progress (default: temporary)",
    )
    parser.add_argument("--small", action="store_true", help="measure everything with small sizes, as a trial on a CPU")
    parser.add_argument(
        "--sections",
        nargs="+",
        default=[],
        metavar="WORD",
        help="only sections whose names contain one of these words",
    )
    return parser


if __name__ == "__main__":
    main()
