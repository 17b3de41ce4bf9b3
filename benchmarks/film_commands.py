"""Measures what reframing and other outputs cost beside `predict` alone, in whole runs on one film:

    python -m benchmarks.film_commands FILM [--rounds N]

Every round runs each command once, in a process of its own. The medians and their ratios to `predict --outputs npz`,
which encodes no film, are printed. A first round that fills the compilation cache does not count. Measure on an idle
machine.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from data_pipelines.runtime.arguments import positive_integer
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError

BESIDE = "predict --outputs npz"
COMMANDS = (
    BESIDE,
    "predict --outputs npz roi thumbnail",
    "predict --outputs overlay",
    "predict",
    "reframe --ratio 9:16",
    "reframe --ratio 9:16 1:1 4:5",
)


@command
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("film", type=Path, metavar="FILM")
    parser.add_argument("--rounds", type=positive_integer, default=5, metavar="N", help="rounds (default: 5)")
    options = parser.parse_args(argv)
    seconds: dict[str, list[float]] = {line: [] for line in COMMANDS}
    for number in range(options.rounds + 1):
        for line in COMMANDS:
            spent = seconds_of(line, options.film)
            if number:
                seconds[line].append(spent)
    usual = statistics.median(seconds[BESIDE])
    for line, spent in seconds.items():
        ratios = [one / other for one, other in zip(spent, seconds[BESIDE], strict=True)]
        print(
            f"{line:36} {statistics.median(spent):6.1f} s  x {statistics.median(spent) / usual:.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f})"
        )


def seconds_of(line: str, film: Path) -> float:
    """Returns the wall-clock time of a command on a film.

    Raises:
      UserError: the command fails.
    """
    name, *flags = line.split()
    with tempfile.TemporaryDirectory() as output:
        whole = [sys.executable, "-m", f"stavis_jax.{name}", str(film), *flags, "--output", output]
        begin = time.monotonic()
        ended = subprocess.run(whole, capture_output=True, text=True)
        if ended.returncode:
            raise UserError(f"{line}: failed: {ended.stderr.strip().splitlines()[-1]}")
        return time.monotonic() - begin


if __name__ == "__main__":
    main()
