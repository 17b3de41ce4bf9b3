"""Compiles the network for a chip that this machine does not have, and prints what the compiler estimates.

Results are kept in a file as they come. The same command goes on after an interruption, and compiles again only what
has changed.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.compile_ahead import limits, results, tables
from benchmarks.compile_ahead.chips import CHIPS, check_installed
from benchmarks.compile_ahead.plan import SMALL, all_jobs, chosen
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError


@command
def main(argv: Sequence[str] | None = None) -> None:
    flags = _parser().parse_args(argv)
    jobs = chosen(flags.jobs) if flags.jobs else chosen(SMALL) if flags.small else all_jobs()
    if flags.list:
        print("\n".join(job.name for job in jobs))
        return
    chip, by_name = CHIPS[flags.chip], {job.name: job for job in jobs}
    check_installed(chip)
    if flags.hlo:
        flags.hlo.mkdir(parents=True, exist_ok=True)

    def tell(result: results.Result) -> None:
        print(tables.terminal_text(result, by_name[result["job"]], chip), flush=True)
        if flags.write:  # at once, so that an interrupted run keeps what it has compiled
            everything = all_jobs()
            known = results.newest(flags.results, chip, everything)
            report.write_section(flags.write, *tables.page_section(known, everything, chip))

    found = results.compile_all(chip, jobs, flags.results, str(flags.hlo.absolute()) if flags.hlo else "", tell)
    if flags.set_limits:
        limits.set_limits(found)
    if flags.check:
        over = limits.exceeded(found)
        print("\n".join(over), end="\n" if over else "", flush=True)
        if free := limits.without_limits(found):
            print(f"No limits are set with this compiler for: {', '.join(free)}.", flush=True)
        failed = sum(bool(result["error"]) for result in found)
        if over or failed:
            raise UserError(
                f"{len(over)} limits of {limits.PATH.name} are exceeded, and {failed} programs do not compile."
            )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compile_ahead",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--chip", choices=CHIPS, required=True, help="the chip to compile for")
    parser.add_argument("--jobs", nargs="+", metavar="NAME", help="only these; * stands for any letters")
    parser.add_argument("--small", action="store_true", help="only the few programs that CI compiles")
    parser.add_argument("--list", action="store_true", help="print the names of the jobs, and compile nothing")
    parser.add_argument(
        "--results",
        type=Path,
        default=Path("compile_ahead.jsonl"),
        metavar="FILE",
        help="file of results, one a line (default: compile_ahead.jsonl)",
    )
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="Markdown page whose section of the chip is replaced"
    )
    parser.add_argument("--check", action="store_true", help="fail if a program exceeds its limits (limits.json)")
    parser.add_argument("--set-limits", action="store_true", help="make the results of this run the limits")
    parser.add_argument("--hlo", type=Path, metavar="DIR", help="folder for the compiled HLO text")
    return parser


if __name__ == "__main__":
    main()
