"""Command: films -> a saliency map for every frame, and the film with its maps laid over it.

For each film writes OUTPUT/<film>/maps/000001.png ..., 8-bit grey, each stretched from its least to its most salient
pixel, and OUTPUT/<film>/overlay.mp4, H.264 with the film's sound.
"""

import argparse
import functools
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import stavis_jax
from data_pipelines.errors import command, one_line
from data_pipelines.transforms import RESIZE_FILTERS
from data_pipelines.video_file import open_video
from stavis_jax import compilation_cache
from stavis_jax.prediction import check_replaceable, output_folders, write_predictions

EXAMPLE = "example: python -m stavis_jax.predict holiday.mp4 --checkpoint stavis.pth --output saliency"


@command
def main(argv: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(argv)
    folders = output_folders(options.films, options.output)
    for film, folder in zip(options.films, folders, strict=True):  # faults are told before the long work
        check_replaceable(folder, options.overwrite)
        with open_video(film):
            pass

    compilation_cache.enable()
    model = stavis_jax.load(options.checkpoint, variant=options.variant)
    for film, folder in zip(options.films, folders, strict=True):
        with Progress(
            TextColumn(f"{_shown(film.name)}: {{task.description}}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        ) as bars:
            num_frames = write_predictions(
                film,
                folder,
                model,
                batch_size=options.batch_size,
                resize_filter=options.resize_filter,
                map_size=options.map_size,
                overwrite=options.overwrite,
                stage=lambda name, total, bars=bars: functools.partial(bars.advance, bars.add_task(name, total=total)),
            )
        print(f"{one_line(folder)}: {num_frames} maps and overlay.mp4")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stavis_jax.predict",
        description=__doc__.removeprefix("Command: "),
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("films", nargs="+", type=Path, metavar="VIDEO", help="films, of any kind FFmpeg decodes")
    parser.add_argument(
        "--checkpoint", required=True, type=Path, help="a .pth file, a converted directory or a training's workdir"
    )
    parser.add_argument("--output", required=True, type=Path, help="where the folders <film>/ are written")
    parser.add_argument("--variant", help="network variant; default: told from the checkpoint")
    parser.add_argument(
        "--batch-size", type=positive_integer, default=4, metavar="N", help="clips of 16 frames a step; default: 4"
    )
    parser.add_argument(
        "--map-size",
        choices=("film", "network"),
        default="film",
        help="size of the maps in pixels: the film's, or the network's as it comes; default: film",
    )
    parser.add_argument(
        "--resize-filter",
        choices=RESIZE_FILTERS,
        default="bicubic",
        help="filter of the step to 320x240, as in the data the network was trained with; default: bicubic",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the folders of earlier predictions")
    return parser


def _shown(name: str) -> str:
    """A film's name within a format string."""
    return one_line(name).replace("{", "{{").replace("}", "}}")


def positive_integer(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    main()
