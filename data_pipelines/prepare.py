"""Command: raw data -> shards. Every frame, map and sound is read, resized and stored once.

python -m data_pipelines.prepare --data RAW --output SHARDS
"""

import argparse
import contextlib
import logging
import os
from collections.abc import Generator, Sequence
from pathlib import Path

import rich.console

from data_pipelines.inputs.resizing import RESIZE_FILTERS, ResizeFilter
from data_pipelines.raw.fold_lists import ListedFilm, read_all_lists
from data_pipelines.raw.inventory import look_up
from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.limits import LARGEST_SIZE
from data_pipelines.shards import beam_runner, dataset_writer, local_runner, reader, resume
from data_pipelines.shards.film_lists import films_of, positions
from data_pipelines.shards.film_to_records import Settings, is_whole, read_entry
from data_pipelines.shards.local_runner import FilmJob
from data_pipelines.shards.resume import Unfinished
from data_pipelines.shards.skip_damaged import Damage

SHORT_SOUND_SECONDS = 1.0  # a sound that ends this much before its film is worth a warning

_log = logging.getLogger(__name__)


def prepare(
    raw: Path | str,
    output: Path | str,
    *,
    size: int = 112,
    resize_filter: ResizeFilter = "bicubic",
    databases: Sequence[str] | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    skip_damaged: bool = False,
    annotations: bool = True,
    runner: str | None = None,
    runner_options: Sequence[str] = (),
) -> Path:
    """Writes the shards of a raw data folder, and returns their folder.

    All films of all lists are stored, frame by frame, at `size` x `size` pixels. `output` appears when all is written.
    An interrupted run is continued by the next one with the same settings, from the films that were finished.

    Args:
        resize_filter: of the first resizing step, see `transforms.ResizePicture`.
        databases: folders to read; all by default.
        workers: processes; one a core by default.
        overwrite: replaces older shards.
        skip_damaged: leaves out films with a missing or damaged file, with one warning, instead of raising.
        annotations: stores the maps at their own size too, for scoring.
        runner, runner_options: Apache Beam's, instead of processes of this machine; see `beam_prepare`.

    Raises:
        UserError: `output` exists, or another run is making it; a file is missing or damaged; no film is left.

    Films without sound are stored silent, and a warning counts them; so it does those whose sound ends early.
    """
    output, raw = Path(output), Path(raw)
    layout = RawLayout(raw.absolute() if runner else raw)  # a runner's machines have folders of their own to be in
    settings = Settings(size, resize_filter, annotations)
    _check_settings(settings, workers, runner)
    with resume.opened(Path(os.path.abspath(output))) as aside:
        _refuse_to_replace(output, overwrite)
        lists = read_all_lists(layout, databases)
        films, damage, jobs = films_of(lists), Damage(skip=skip_damaged), []
        for film in films:
            files = look_up(layout, film)
            if files.missing:
                damage.add(film, _missing(files.missing, film))
            else:
                key = resume.film_key(reader.FORMAT_VERSION, settings, film, files.state)
                jobs.append(FilmJob(aside, key, layout, film, settings))
        _warn_of_silent(layout, [job.film for job in jobs])
        with contextlib.closing(_finish_all(jobs, aside, workers, runner, runner_options)) as outcomes:
            for job, fault in outcomes:
                if fault:
                    damage.add(job.film, fault)
        damage.warn(len(films))
        whole = [job for job in jobs if job.film not in damage]
        folders = [aside.film_folder(job.key) for job in whole]
        _warn_of_short_sound(layout, [read_entry(folder).film for folder in folders])
        of_whole = positions(lists, [job.film for job in whole])
        aside.publish(lambda new: dataset_writer.assemble(new, folders, of_whole, settings))
    return output


def _finish_all(
    jobs: Sequence[FilmJob], aside: Unfinished, workers: int | None, runner: str | None, runner_options: Sequence[str]
) -> Generator[tuple[FilmJob, str]]:
    """The films that no earlier run finished, each with its fault or an empty text."""
    aside.keep_only([job.key for job in jobs if is_whole(aside.film_folder(job.key), job.settings)])
    finished = aside.finished()
    if finished:
        _say(f"{len(finished)} of {len(jobs)} films were finished by an earlier run; the others follow.")
    to_do = [job for job in jobs if job.key not in finished]
    if runner:
        yield from beam_runner.finish_films(to_do, runner, runner_options)
    else:
        yield from local_runner.finish_films(to_do, workers)


def _check_settings(settings: Settings, workers: int | None, runner: str | None) -> None:
    if not 1 <= settings.size <= LARGEST_SIZE:
        raise UserError(
            f"size: {settings.size} is not a number of pixels. Give 1 or more, up to {LARGEST_SIZE}; "
            "the network was made for 112."
        )
    if settings.resize_filter not in RESIZE_FILTERS:
        raise UserError(
            f"resize_filter: {settings.resize_filter!r} is not known. Choose from {', '.join(RESIZE_FILTERS)}."
        )
    if workers is not None and workers < 1:
        raise UserError(f"workers: {workers} is not a number of processes. Give 1 or more.")
    if workers is not None and runner:
        raise UserError("workers: a Beam runner has its own. Set them with --beam-options, or leave out --runner.")


def _missing(path: Path, film: ListedFilm) -> str:
    return (
        f"{path}: the file is missing, of {film.num_frames} frames. "
        "Fetch the database again, or remove or mend the film's line in its lists."
    )


def _warn_of_silent(layout: RawLayout, films: Sequence[ListedFilm]) -> None:
    silent = [film for film in films if not layout.sound_path(film.database, film.name).is_file()]
    if silent:
        path = layout.sound_path(silent[0].database, silent[0].name)
        _log.warning(
            "%d of %d films have no sound and are stored silent; first: %s is missing.", len(silent), len(films), path
        )


def _warn_of_short_sound(layout: RawLayout, films: Sequence[reader.StoredFilm]) -> None:
    short = [
        film
        for film in films
        if film.sound_rate_hz
        and film.num_samples / film.sound_rate_hz < film.num_frames / film.fps - SHORT_SOUND_SECONDS
    ]
    if short:
        first = short[0]
        _log.warning(
            "%d of %d films go on in silence when their sound ends; first: %s has %.1f s of %.1f s.",
            len(short),
            len(films),
            layout.sound_path(first.database, first.name),
            first.num_samples / first.sound_rate_hz,
            first.num_frames / first.fps,
        )


def _refuse_to_replace(output: Path, overwrite: bool) -> None:
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not overwrite:
        raise UserError(f"{output}: exists already. Give another --output, or --overwrite to replace it.")
    if not (output / "dataset_info.json").is_file():
        raise UserError(f"{output}: holds no shards, so --overwrite does not replace it. Give another --output.")


def _say(line: str) -> None:
    rich.console.Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)


@command
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m data_pipelines.prepare",
        description="Makes shards, which training and scoring read, of raw data. An interrupted run goes on when it is "
        "started again with the same flags.",
        epilog="example: python -m data_pipelines.prepare --data raw --output shards --databases DIEM AVAD",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="RAW", help="folder in the raw layout")
    parser.add_argument("--output", type=Path, required=True, metavar="SHARDS", help="folder to make")
    parser.add_argument("--size", type=int, default=112, help="height and width in pixels (default: 112)")
    parser.add_argument(
        "--resize-filter",
        choices=RESIZE_FILTERS,
        default="bicubic",
        help="of the step to 320x240: bicubic as Pillow since 7.0 (default), nearest as before it",
    )
    parser.add_argument("--databases", nargs="+", metavar="FOLDER", help="databases to read (default: all)")
    parser.add_argument("--workers", type=int, help="processes (default: one a core)")
    parser.add_argument("--overwrite", action="store_true", help="replace older shards")
    parser.add_argument(
        "--skip-damaged", action="store_true", help="leave out films with a missing or damaged file (default: stop)"
    )
    parser.add_argument(
        "--no-annotations",
        action="store_true",
        help="do not store the maps at their own size, which scoring needs where the raw data is not",
    )
    parser.add_argument("--runner", metavar="NAME", help="an Apache Beam runner, as DirectRunner, instead of --workers")
    parser.add_argument(
        "--beam-options",
        nargs=argparse.REMAINDER,
        default=[],
        metavar="...",
        help="all that follows goes to the runner",
    )
    flags = parser.parse_args(argv)
    if flags.beam_options and not flags.runner:
        parser.error("--beam-options: needs --runner")
    folder = prepare(
        flags.data,
        flags.output,
        size=flags.size,
        resize_filter=flags.resize_filter,
        databases=flags.databases,
        workers=flags.workers,
        overwrite=flags.overwrite,
        skip_damaged=flags.skip_damaged,
        annotations=not flags.no_annotations,
        runner=flags.runner,
        runner_options=flags.beam_options,
    )
    opened = reader.Shards(folder)
    frames = sum(film.num_frames for film in opened.films)
    print(f"{folder}: {len(opened.films)} films, {frames} frames of {opened.size} x {opened.size}.")


if __name__ == "__main__":
    main()
