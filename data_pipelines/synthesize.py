"""Command: writes a synthetic audio-visual eye-tracking database in the raw layout.

Two or three objects move about in every film, and people look at the one that sounds.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from data_pipelines.runtime.arguments import CommandParser, image_size
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError
from data_pipelines.synthetic.database import synthesize


@command
def main(argv: Sequence[str] | None = None) -> None:
    flags = _parser().parse_args(argv)
    if flags.seconds is not None and not math.isfinite(flags.seconds * flags.fps):
        raise UserError(f"seconds: {flags.seconds:g} at {flags.fps:g} fps is not a length. Use a finite number.")
    num_test_films = max(1, flags.films // 5)
    synthesize(
        flags.output,
        num_train_films=flags.films - num_test_films,
        num_test_films=num_test_films,
        num_frames=flags.frames if flags.seconds is None else round(flags.seconds * flags.fps),
        fps=flags.fps,
        frame_size=flags.frame_size,
        seed=flags.seed,
        workers=flags.workers,
    )
    print(f"{flags.output}: {flags.films} films")


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser("data_pipelines.synthesize", __doc__, "--output raw --films 60 --frames 80")
    add = parser.add_argument
    add("--output", type=Path, required=True, help="folder to make; must not exist or be empty")
    add("--films", type=int, default=60, metavar="N", help="number of films, a fifth of them for testing")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--frames", type=int, default=80, metavar="N", help="frames per film")
    length.add_argument("--seconds", type=float, metavar="S", help="seconds per film, instead of --frames")
    add("--fps", type=float, default=25, metavar="HZ", help="frames per second")
    add("--frame-size", type=image_size, default=(160, 120), metavar="WxH", help="pixels (default: 160x120)")
    parser.add_seed("films and gaze")
    parser.add_workers()
    return parser


if __name__ == "__main__":
    main()
