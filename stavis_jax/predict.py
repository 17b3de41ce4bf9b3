"""Command: films -> a saliency map for every frame, and the film with its maps laid over it.

For each film writes a folder OUTPUT/<film>/ with what --outputs asks for:

  maps           maps/000001.png ..., 8-bit grey, each stretched from its least to its most salient pixel
  overlay        overlay.mp4, the film with heat laid over it and its sound
  grey           grey.mp4, the maps as a film
  npy, npz       maps.npy, maps.npz: the maps as they come, float16 [N, S, S] in [0, 1]; npz with their times
  contact-sheet  contact-sheet.png, frames of the whole film with their heat
  track          track.csv, where gaze is to be expected in each frame: centre, peak, spread, entropy

A film that is done is left alone, so the same command goes on where it was interrupted. Of many films, one that cannot
be predicted does not stop the others.
"""

import argparse
import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from data_pipelines.films.film import Film, open_film
from data_pipelines.films.paths import find_films
from data_pipelines.inputs.resizing import RESIZE_FILTERS
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError, one_line
from stavis_jax.cli.malloc import keep_big_buffers

EXAMPLE = "example: python -m stavis_jax.predict holiday.mp4 --checkpoint stavis.pth --output saliency"


@command
def main(argv: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(argv)
    keep_big_buffers()  # here: decoders are threads
    # After the arguments: --help answers at once.
    import stavis_jax
    from stavis_jax.cli import compilation_cache
    from stavis_jax.cli.film_failures import Failures
    from stavis_jax.outputs.kinds import OutputOptions, listed, output_names
    from stavis_jax.outputs.write import PredictionOptions, output_folders, write_predictions
    from stavis_jax.prediction.frame_stream import LARGEST_STRIDE

    appearance = OutputOptions(
        map_size=options.map_size,
        naming=options.naming,
        colormap=options.colormap,
        opacity=options.opacity,
        view=options.view,
        panes=listed(options.panes),
        sheet_frames=options.sheet_frames,
    )
    how = PredictionOptions(
        output_names(options.outputs), appearance, options.batch_size, options.stride, options.resize_filter
    )
    appearance.check(uses_sound=True)  # faults are told before the long work
    if options.stride > LARGEST_STRIDE:
        raise UserError(f"--stride {options.stride}: give at most {LARGEST_STRIDE}.")
    paths = find_films(options.films)
    mine = _share(list(zip(paths, output_folders(paths, options.output), strict=True)), options.shard)

    failures = Failures(len(mine))
    films: list[tuple[Film, Path]] = []
    for path, folder in mine:
        with failures.of(path):
            films.append((open_film(path, sound=options.sound, frame_rate_hz=options.frame_rate), folder))
    if films:
        compilation_cache.enable()
        model = stavis_jax.load(options.checkpoint, variant=options.variant)
        appearance.check(getattr(model, "uses_sound", True))
    for film, folder in films:
        with failures.of(film.path):
            with _progress(one_line(film.name)) as start:
                num_frames = write_predictions(film, folder, model, how, overwrite=options.overwrite, start=start)
            said = "done before." if num_frames is None else f"{num_frames} frames, {', '.join(how.outputs)}"
            print(f"{one_line(folder)}: {said}")
    failures.tell()


@contextlib.contextmanager
def _progress(name: str) -> Iterator[Callable[[int | None], Callable[[int], None]]]:
    """Gives what starts a bar: number of frames, if known -> what is called with how many are done."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        yield lambda num_frames: functools.partial(bars.advance, bars.add_task(name, total=num_frames))


def _share(films: list[Any], shard: tuple[int, int]) -> list[Any]:
    number, count = shard
    return films[number - 1 :: count]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stavis_jax.predict",
        description=__doc__.removeprefix("Command: "),
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "films",
        nargs="+",
        metavar="VIDEO",
        help="films of any kind FFmpeg decodes, folders of them, folders of pictures, quoted patterns: 'shots/*.mp4'",
    )
    add("--checkpoint", required=True, type=Path, help="a .pth file, a converted directory or a training's workdir")
    add("--output", required=True, type=Path, help="where the folders <film>/ are written")
    add("--outputs", default="maps,overlay", metavar="NAMES", help="what is written, see above; default: maps,overlay")
    add("--variant", help="network variant; default: told from the checkpoint")
    add("--batch-size", type=positive_integer, default=4, metavar="N", help="clips of 16 frames a step; default: 4")
    add(
        "--stride",
        type=positive_integer,
        default=1,
        metavar="N",
        help="predict every N-th frame, at most 64th, and interpolate between them; default: 1",
    )
    add(
        "--shard",
        type=shard,
        default=(1, 1),
        metavar="I/N",
        help="only the I-th of N shares of the films, for job arrays",
    )
    add("--overwrite", action="store_true", help="replace the folders of earlier predictions")
    group = parser.add_argument_group("the films")
    add = group.add_argument
    add("--sound", type=Path, metavar="WAV", help="of a folder of pictures; default: the one in it")
    add("--frame-rate", type=float, metavar="HZ", help="of a folder of pictures, frames a second; default: 25")
    add(
        "--resize-filter",
        choices=RESIZE_FILTERS,
        default="bicubic",
        help="of the step to 320x240, as in the data the network was trained with; default: bicubic",
    )
    group = parser.add_argument_group("how it looks")
    add = group.add_argument
    add(
        "--map-size",
        choices=("film", "network"),
        default="film",
        help="size of maps and grey film in pixels: the film's, or the network's as it comes; default: film",
    )
    add(
        "--naming",
        choices=("frames", "original"),
        default="frames",
        help="of map pictures: by frame, or as the original's, for its scoring; default: frames",
    )
    add("--colormap", default="inferno", metavar="NAME", help="of the heat, any of matplotlib's; default: inferno")
    add("--opacity", type=float, default=0.75, metavar="0..1", help="of the heat where it is hottest; default: 0.75")
    add("--view", choices=("overlay", "side-by-side"), default="overlay", help="of overlay.mp4; default: overlay")
    add(
        "--panes",
        default="",
        metavar="NAMES",
        help="more panes in overlay.mp4: localization (where the sound is), attention (DSAM's)",
    )
    add(
        "--sheet-frames",
        type=positive_integer,
        default=12,
        metavar="N",
        help="on the contact sheet, at most 200; default: 12",
    )
    return parser


def positive_integer(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def shard(text: str) -> tuple[int, int]:
    """ "2/8" -> (2, 8)."""
    number, _, count = text.partition("/")
    if not 1 <= int(number) <= int(count):
        raise ValueError(text)
    return int(number), int(count)


if __name__ == "__main__":
    main()
