"""Command: checks that shards, checkpoints and weights are whole. Reads all of them, and changes nothing.

Finds out what each PATH is: a folder of shards, the working directory of a training, a weights directory, a .pth,
.safetensors or .npy file, or a folder of these. It prints a line for each thing: ok, or damaged with the file, what is
wrong and what to do. The exit code is 1 if anything is damaged or cannot be checked.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from data_pipelines.runtime.arguments import CommandParser
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError


@command
def main(argv: Sequence[str] | None = None) -> None:
    parser = CommandParser("stavis_jax.check", __doc__, "shards\nruns/av weights/stavis stavis.pth")
    what = "shards, a working directory, a weights directory, a .pth, .safetensors or .npy file, or a folder of these"
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help=what)
    paths = parser.parse_args(argv).paths
    # Imported here: JAX takes seconds, and --help needs none of it.
    from stavis_jax.checking.recognize import check_path

    logging.getLogger("absl").setLevel(logging.ERROR)  # orbax tells what it reads
    findings = []
    for path in paths:
        for finding in check_path(path):
            findings.append(finding)
            print(finding.line, flush=True)
    bad = sum(finding.state != "ok" for finding in findings)
    if bad:
        raise UserError(f"{bad} of {len(findings)} damaged or not checked. The lines above say what to do.")


if __name__ == "__main__":
    main()
