"""Writes constraints.txt and requirements.txt from the ranges in pyproject.toml.

python tools/lock.py [--upgrade]

constraints.txt holds the exact versions of all extras together, for every supported Python version and platform.
requirements.txt is the part of it that the commands need at run time. Without --upgrade, versions that are still within
the ranges stay as they are. Requires uv, which the extra `dev` installs.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
OLDEST_PYTHON = "3.11"
COMPILE = ("uv", "pip", "compile", "pyproject.toml", "--universal", "--python-version", OLDEST_PYTHON)
PLAIN = ("--no-annotate", "--custom-compile-command", "python tools/lock.py")


def main() -> None:
    lock = (*COMPILE, *PLAIN, *sys.argv[1:])
    _run(*lock, "--all-extras", "--output-file", "constraints.txt")
    _run(*lock, "--constraint", "constraints.txt", "--output-file", "requirements.txt")


def _run(*command: str) -> None:
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
