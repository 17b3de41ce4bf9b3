"""Makes shards of a raw data folder. The command is data_pipelines/prepare.py."""

import contextlib
import logging
import os
from collections.abc import Generator, Sequence
from pathlib import Path

import rich.console

from data_pipelines.inputs.resizing import RESIZE_FILTERS, ResizeFilter
from data_pipelines.raw.fold_lists import ListedFilm, read_all_lists
from data_pipelines.raw.inventory import state_of_files
from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.folders import is_free
from data_pipelines.runtime.limits import LARGEST_SIZE
from data_pipelines.shards import beam_runner, local_runner, reader, resume
from data_pipelines.shards.film_lists import DamagedFilms, films_of, positions
from data_pipelines.shards.film_to_records import Settings, WrittenFilm, assemble, is_whole, read_entry
from data_pipelines.shards.local_runner import PreparationJob
from data_pipelines.shards.resume import Unfinished

SHORT_SOUND_SECONDS = 1.0  # a sound that ends this much before its film gets a warning

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
    """Writes the shards of a raw data folder and returns their folder.

    Stores all films of all lists, frame by frame, at `size` x `size` pixels. `output` appears when everything is
    written. An interrupted run is continued by the next run with the same settings. Films without sound are stored
    silent. Warnings count these films, and the films whose sound ends early or cancels itself.

    Args:
      raw: raw data folder.
      output: folder of the shards.
      size: height and width of the stored frames in pixels.
      resize_filter: filter of the first resizing step, see `inputs.resizing.ResizePicture`.
      databases: folders to read; all by default.
      workers: number of processes; one per core by default.
      overwrite: replace older shards.
      skip_damaged: leave out films with a missing or damaged file and warn once, instead of raising an error.
      annotations: store the maps at their own size too, for scoring.
      runner: name of an Apache Beam runner to use instead of processes on this machine, see `beam_runner`.
      runner_options: options of the Beam pipeline.

    Raises:
      UserError: `output` exists, or another run is writing it; a file is missing or damaged; no film is left.
    """
    raw, output = Path(raw), Path(output)
    layout = RawLayout(raw.absolute() if runner else raw)  # machines of a runner have other working directories
    settings = Settings(size, resize_filter, annotations)
    _check_settings(settings, workers, runner, runner_options)
    with resume.opened(Path(os.path.abspath(output))) as unfinished:
        _refuse_to_replace(output, overwrite)
        lists = read_all_lists(layout, databases)
        films, damaged, jobs = films_of(lists), DamagedFilms(skip=skip_damaged), []
        for film in films:
            with damaged.collect(film):
                key = resume.film_key(reader.FORMAT_VERSION, settings, film, state_of_files(layout, film))
                jobs.append(PreparationJob(unfinished, key, layout, film, settings))
        _warn_of_silent(layout, [job.film for job in jobs])
        with contextlib.closing(_finish_all(jobs, unfinished, workers, runner, runner_options)) as outcomes:
            for job, fault in outcomes:
                if fault:
                    damaged.add(job.film, fault)
        damaged.warn(len(films))
        whole = [job for job in jobs if job.film not in damaged]
        folders = [unfinished.film_folder(job.key) for job in whole]
        _warn_of_sound(layout, [read_entry(folder) for folder in folders])
        of_whole = positions(lists, [job.film for job in whole])
        unfinished.publish(lambda new: assemble(new, folders, of_whole, settings))
    return output


def _finish_all(
    jobs: Sequence[PreparationJob],
    unfinished: Unfinished,
    workers: int | None,
    runner: str | None,
    runner_options: Sequence[str],
) -> Generator[tuple[PreparationJob, str]]:
    """Yields each film that no earlier run finished, with its fault or an empty string."""
    unfinished.keep_only([job.key for job in jobs if is_whole(unfinished.film_folder(job.key), job.settings)])
    finished = unfinished.finished()
    if finished:
        line = f"{len(finished)} of {len(jobs)} films were finished by an earlier run; the others follow."
        rich.console.Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)
    to_do = [job for job in jobs if job.key not in finished]
    if runner:
        yield from beam_runner.finish_films(to_do, runner, runner_options)
    else:
        yield from local_runner.finish_films(to_do, workers)


def _check_settings(settings: Settings, workers: int | None, runner: str | None, runner_options: Sequence[str]) -> None:
    if not 1 <= settings.size <= LARGEST_SIZE:
        raise UserError(
            f"size: {settings.size} pixels are not supported. Give 1 to {LARGEST_SIZE}; the network was made for 112."
        )
    if settings.resize_filter not in RESIZE_FILTERS:
        raise UserError(
            f"resize_filter: {settings.resize_filter!r} is not known. Choose from {', '.join(RESIZE_FILTERS)}."
        )
    if workers is not None and workers < 1:
        raise UserError(f"workers: {workers} is not a number of processes. Give 1 or more.")
    if workers is not None and runner:
        raise UserError("workers: a Beam runner has its own. Set them with --beam-options, or leave out --runner.")
    if runner_options and not runner:
        raise UserError("--beam-options: needs --runner. Name a runner, such as DirectRunner.")


def _refuse_to_replace(output: Path, overwrite: bool) -> None:
    if is_free(output):
        return
    if not overwrite:
        raise UserError(f"{output}: exists already. Give another --output, or --overwrite to replace it.")
    if not (output / reader.INFO_FILE).is_file():
        raise UserError(f"{output}: holds no shards, so --overwrite does not replace it. Give another --output.")


def _warn_of_silent(layout: RawLayout, films: Sequence[ListedFilm]) -> None:
    films = [film for film in films if film.num_frames > 1]  # nobody expects a still to sound
    paths = [layout.sound_path(film.database, film.name) for film in films]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        text = "%d of %d films have no sound and are stored silent; first: %s is missing."
        _log.warning(text, len(missing), len(films), missing[0])


def _warn_of_sound(layout: RawLayout, written: Sequence[WrittenFilm]) -> None:
    lengths = [
        (film, film.num_samples / film.sound_rate_hz, film.num_frames / film.fps)
        for film in (entry.film for entry in written)
        if film.sound_rate_hz
    ]
    short = [length for length in lengths if not length[1] or length[1] < length[2] - SHORT_SOUND_SECONDS]
    if short:
        film, sound_seconds, film_seconds = short[0]
        path = layout.sound_path(film.database, film.name)
        text = "%d of %d films continue in silence when their sound ends; first: %s has %.1f s of %.1f s."
        _log.warning(text, len(short), len(written), path, sound_seconds, film_seconds)
    if cancelled := [entry.film for entry in written if entry.sound_is_cancelled]:
        path = layout.sound_path(cancelled[0].database, cancelled[0].name)
        text = "%d of %d films are stored silent, because the channels of their sound cancel each other; first: %s."
        _log.warning(text, len(cancelled), len(written), path)
