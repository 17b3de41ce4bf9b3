"""Command: makes shards, which training and scoring read, from raw data.

Reads, resizes and stores every frame, map and sound once. An interrupted run continues when it is started again with
the same flags.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from data_pipelines.inputs.resizing import RESIZE_FILTERS
from data_pipelines.runtime.arguments import CommandParser, ListAction
from data_pipelines.runtime.command import command
from data_pipelines.shards.raw_to_shards import prepare
from data_pipelines.shards.reader import Shards

__all__ = ["main", "prepare"]


@command
def main(argv: Sequence[str] | None = None) -> None:
    shards = Shards(prepare(**vars(_parser().parse_args(argv))))
    frames = sum(film.num_frames for film in shards.films)
    print(f"{shards.folder}: {len(shards.films)} films, {frames} frames of {shards.size} x {shards.size}.")


def _parser() -> CommandParser:
    parser = CommandParser(
        "data_pipelines.prepare", __doc__, example="--data raw --output shards --databases DIEM AVAD"
    )
    add = parser.add_argument
    add("--data", dest="raw", type=Path, required=True, metavar="RAW", help="raw data folder")
    add("--output", type=Path, required=True, metavar="SHARDS", help="folder to write")
    add("--size", type=int, default=112, metavar="N", help="height and width of the stored frames in pixels")
    add(
        "--resize-filter",
        choices=RESIZE_FILTERS,
        default="bicubic",
        help="filter of the resizing step to 320x240; Pillow used nearest before version 7.0",
    )
    add("--databases", action=ListAction, metavar="DB", help="folders to read (default: all)")
    parser.add_workers()
    parser.add_overwrite("older shards")
    add("--skip-damaged", action="store_true", help="leave out films with a missing or damaged file (default: stop)")
    add(
        "--no-annotations",
        dest="annotations",
        action="store_false",
        help="do not store the maps at their own size; scoring then needs the raw data",
    )
    add("--runner", metavar="NAME", help="Apache Beam runner, such as DirectRunner, instead of --workers")
    add(
        "--beam-options",
        dest="runner_options",
        nargs=argparse.REMAINDER,
        default=[],
        metavar="...",
        help="pass everything that follows to the runner",
    )
    return parser


if __name__ == "__main__":
    main()
