"""Command: measures everything on this machine's accelerator, the most valuable first, in a given time.

python -m benchmarks.accelerator --output FIGURES
"""

import argparse
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from benchmarks.accelerator.plan import FIRST, NHWC, SMALL, Scale, Section, sections
from benchmarks.accelerator.supervisor import Supervisor


def main(argv: Sequence[str] | None = None) -> None:
    flags = _parser().parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="accelerator-") as temporary:
        work, output = (flags.work or Path(temporary)).absolute(), flags.output.absolute()
        planned = sections(SMALL if flags.small else Scale(), str(work), str(output))
        if flags.sections:
            planned = [section for section in planned if any(word in section.name for word in flags.sections)]
        supervisor = Supervisor(work, output, flags.budget)
        beside = []
        for section in planned:
            flags_of_xla = best_flags(supervisor.figures) if section.flags == "best" else section.flags
            environment = environment_of(section, flags_of_xla, work)
            if flags.small:
                environment["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # compiling is most of a trial
            if section.background:
                beside.append(threading.Thread(target=supervisor.run, args=(section, environment)))
                beside[-1].start()
                continue
            if section.name == "input pipeline":
                for thread in beside:
                    thread.join()
            supervisor.run(section, environment)
        for thread in beside:
            thread.join()
        print("\n" + supervisor.close(), flush=True)


def environment_of(section: Section, flags: str, work: Path) -> dict[str, str]:
    """Variables of a section's process: XLA's flags, one cache of compiled functions and of tuned convolutions."""
    environment = {"JAX_COMPILATION_CACHE_DIR": str(work / "compiled"), "TORCHINDUCTOR_CACHE_DIR": str(work / "torch")}
    if section.background:
        environment["JAX_PLATFORMS"] = "cpu"
    if flags == "nhwc":
        environment["XLA_FLAGS"] = NHWC
    return environment


def best_flags(figures: Sequence[dict]) -> str:
    """ "nhwc" where the first training step was faster with it than without, else "plain"."""
    speeds = {
        one["section"]: one["value"] for one in figures if one["name"].startswith(FIRST) and one["value"] is not None
    }
    return "nhwc" if speeds.get("jax, nhwc", 0) > speeds.get("jax, plain flags", 0) else "plain"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accelerator",
        description=__doc__.splitlines()[0],
        epilog="A second run with the same --work goes on with what the first had no time for.",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder for figures.jsonl, table.md, log.txt, traces"
    )
    parser.add_argument("--budget", type=float, default=400, help="seconds (default: 400)")
    parser.add_argument("--work", type=Path, metavar="DIR", help="folder of what a later run can use (default: none)")
    parser.add_argument("--small", action="store_true", help="measure everything in miniature, as a trial on a CPU")
    parser.add_argument(
        "--sections", nargs="+", default=[], metavar="WORD", help="only sections whose names hold one of these words"
    )
    return parser


if __name__ == "__main__":
    main()
