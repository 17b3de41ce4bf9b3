"""Command: shows how far a training is and whether it is alive.

RUN is the --workdir of a training or an ablation. The command only reads, so it never disturbs a run. docs/status.md
describes what it prints.
"""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from data_pipelines.runtime.arguments import CommandParser
from data_pipelines.runtime.command import command
from stavis_jax.watch.run_status import find_runs, run_status
from stavis_jax.watch.status_text import status_lines


@command
def main(argv: Sequence[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    statuses = [run_status(run) for run in find_runs(arguments.run)]
    if arguments.json:
        content = {"run": str(arguments.run), "runs": [dataclasses.asdict(status) for status in statuses]}
        print(json.dumps(content))
        return
    for status in statuses:
        print("\n".join(status_lines(status)))


def _parser() -> CommandParser:
    parser = CommandParser("stavis_jax.status", __doc__, "runs/demo-l3mul-s3")
    parser.add_argument("run", type=Path, metavar="RUN", help="--workdir of a training or an ablation")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    return parser


if __name__ == "__main__":
    main()
