"""Command: packs predicted maps for a benchmark, with its folders, names, sizes and numbers of frames.

{layouts}

MAPS is the folder that stavis_jax.predict wrote with --outputs maps, or maps of another model: <film>/000001.png. Every
film needs one map for each of its frames, and the folder OUTPUT appears when all films are written.
"""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from data_pipelines.runtime.arguments import CommandParser
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import one_line
from stavis_jax.outputs.submissions import SUBMISSIONS, write_submission

EXAMPLE = "saliency --films DHF1K/video --benchmark dhf1k --output submission"


@command
def main(argv: Sequence[str] | None = None) -> None:
    flags = _parser().parse_args(argv)
    written = write_submission(flags.benchmark, flags.maps, flags.films, flags.output)
    counts = dict(track(written, "Films", console=Console(stderr=True), transient=True))
    print(f"{one_line(flags.output)}: {len(counts)} films, {sum(counts.values())} maps for {flags.benchmark}")


def _parser() -> CommandParser:
    layouts = "\n".join(f"  {name:12} {submission.layout}" for name, submission in SUBMISSIONS.items())
    parser = CommandParser("stavis_jax.submission", (__doc__ or "{layouts}").format(layouts=layouts), EXAMPLE)
    add = parser.add_argument
    add("maps", type=Path, metavar="MAPS", help="folder with a folder of maps for each film")
    add("--films", nargs="+", type=Path, required=True, metavar="PATH", help="the films, folders of them, or patterns")
    add("--benchmark", choices=SUBMISSIONS, required=True, metavar="NAME", help="layout to write, see above")
    add("--output", type=Path, required=True, metavar="DIR", help="folder of the submission; must not exist")
    return parser


if __name__ == "__main__":
    main()
