"""Command: raw data -> shards. Every frame, map and sound is read, resized and stored once.

python -m data_pipelines.prepare --data RAW --output SHARDS
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import logging
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import rich.console
import rich.progress

from data_pipelines import clips, errors, raw_layout, shard_writer, shards
from data_pipelines.errors import UserError
from data_pipelines.fold_lists import Film, read_all_lists
from data_pipelines.raw_layout import RawLayout
from data_pipelines.transforms import RESIZE_FILTERS, ResizeFilter, ResizeFixations, ResizePicture

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
) -> Path:
    """Writes the shards of a raw data folder, and returns their folder.

    All films of all lists are stored, frame by frame, at `size` x `size` pixels. `resize_filter`: of the first resizing
    step, see `transforms.ResizePicture`. `databases`: folders to read; all by default. `workers`: processes; one a core
    by default. `output` appears when all is written; an older one is replaced only with `overwrite`.
    Raises UserError if `output` exists, or for missing or damaged files; films without sound are stored silent, and a
    warning counts them.
    """
    layout, output = RawLayout(Path(raw)), Path(output)
    if size < 1:
        raise UserError(f"size: {size} is not a number of pixels. Give 1 or more; the network was made for 112.")
    if resize_filter not in RESIZE_FILTERS:
        raise UserError(f"resize_filter: {resize_filter!r} is not known. Choose from {', '.join(RESIZE_FILTERS)}.")
    if workers is not None and workers < 1:
        raise UserError(f"workers: {workers} is not a number of processes. Give 1 or more.")
    _refuse_to_replace(output, overwrite)
    films, lists = _films_and_lists(layout, databases)
    for film in films:
        _check_complete(layout, film)
    _warn_of_silent(layout, films)
    output.parent.mkdir(parents=True, exist_ok=True)
    with _written_aside(output) as folder:
        jobs = [
            _Job(layout, film, shards.film_path(folder, number, len(films)), size, resize_filter)
            for number, film in enumerate(films)
        ]
        stored = _write_all(jobs, workers or os.cpu_count() or 1)
        shard_writer.write_metadata(
            folder,
            size=size,
            resize_filter=resize_filter,
            films=[film for film, _ in stored],
            num_bytes=sum(num_bytes for _, num_bytes in stored),
            lists=lists,
        )
    return output


@dataclasses.dataclass(frozen=True)
class _Job:
    """One film to write to one file."""

    layout: RawLayout
    film: Film
    path: Path
    size: int
    resize_filter: ResizeFilter


def _write(job: _Job) -> tuple[shards.StoredFilm, int]:
    """The film as stored, and the bytes of its records."""
    film, layout = job.film, job.layout
    sound_path = layout.sound_path(film.database, film.name)
    sound, rate_hz = raw_layout.read_sound(sound_path) if sound_path.is_file() else (np.zeros(0, np.float32), 0)
    height, width = raw_layout.read_density(layout.density_path(film.database, film.name, 1)).shape
    num_bytes = shard_writer.write_film(job.path, film.database, film.name, _records(job, sound, rate_hz))
    return shards.StoredFilm(
        database=film.database,
        name=film.name,
        num_frames=film.num_frames,
        fps=film.fps,
        sound_rate_hz=rate_hz,
        num_samples=len(sound),
        annotation_height=height,
        annotation_width=width,
    ), num_bytes


def _records(job: _Job, sound: np.ndarray, rate_hz: int) -> Iterator[shards.FrameRecord]:
    resize_picture, resize_fixations = ResizePicture(job.size, job.resize_filter), ResizeFixations(job.size)
    film, layout = job.film, job.layout
    for frame in range(1, film.num_frames + 1):
        begin, end = clips.sound_limits(frame, film.fps, rate_hz, len(sound)) if rate_hz else (0, 0)
        file = film.database, film.name, frame
        yield shards.FrameRecord(
            image=resize_picture(raw_layout.read_frame(layout.frame_path(*file))),
            density=resize_picture(raw_layout.read_density(layout.density_path(*file))),
            fixations=resize_fixations(raw_layout.read_fixations(layout.fixation_path(*file))),
            sound=sound[begin : end + 1],
        )


def _write_all(jobs: Sequence[_Job], workers: int) -> list[tuple[shards.StoredFilm, int]]:
    """The results in the order of the jobs. The longest films start first: none is left for the end alone."""
    longest_first = sorted(range(len(jobs)), key=lambda number: -jobs[number].film.num_frames)
    workers = min(workers, len(jobs))
    results = {}
    with _progress_bar() as progress:
        task = progress.add_task("frames", total=sum(job.film.num_frames for job in jobs))
        with contextlib.ExitStack() as stack:
            if workers == 1:
                written = ((number, _write(jobs[number])) for number in longest_first)
            else:
                # Spawned, not forked: whoever calls this may have threads, which a fork would leave locked.
                executor = concurrent.futures.ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))
                stack.callback(executor.shutdown, cancel_futures=True)
                futures = {executor.submit(_write, jobs[number]): number for number in longest_first}
                written = ((futures[done], done.result()) for done in concurrent.futures.as_completed(futures))
            for number, result in written:
                results[number] = result
                progress.update(task, advance=jobs[number].film.num_frames)
    return [results[number] for number in range(len(jobs))]


def _progress_bar() -> rich.progress.Progress:
    columns = (*rich.progress.Progress.get_default_columns(), rich.progress.MofNCompleteColumn())
    return rich.progress.Progress(*columns, console=rich.console.Console(stderr=True))


def _films_and_lists(
    layout: RawLayout, databases: Sequence[str] | None
) -> tuple[list[Film], dict[str, dict[str, list[int]]]]:
    """All films of all lists, each once, and each list as positions among them."""
    films: dict[tuple[str, str], Film] = {}
    contradictions: list[Film] = []
    lists: dict[str, dict[str, list[int]]] = {}
    listed_films = read_all_lists(layout, databases)
    for splits in listed_films.values():
        for listed in splits.values():
            for film in listed:
                if films.setdefault((film.database, film.name), film) != film:
                    contradictions.append(film)
    if contradictions:
        first = contradictions[0]
        _log.warning(
            "%d lines of fold_lists contradict earlier ones, which are followed; first: %s/%s, %d frames, %g Hz.",
            len(contradictions), first.database, first.name, first.num_frames, first.fps,
        )  # fmt: skip
    positions = {key: position for position, key in enumerate(films)}
    for subset, splits in listed_films.items():
        lists[subset] = {
            str(split): [positions[film.database, film.name] for film in listed] for split, listed in splits.items()
        }
    return list(films.values()), lists


def _check_complete(layout: RawLayout, film: Film) -> None:
    """Raises UserError for the first missing file of a film: now, not hours later."""
    for path_of in (layout.frame_path, layout.density_path, layout.fixation_path):
        folder = path_of(film.database, film.name, 1).parent
        names = set(os.listdir(folder)) if folder.is_dir() else set()
        for number in range(1, film.num_frames + 1):
            path = path_of(film.database, film.name, number)
            if path.name not in names:
                raise UserError(
                    f"{path}: the file is missing, of {film.num_frames} frames. "
                    "Fetch the database again, or remove or mend the film's line in its lists."
                )


def _warn_of_silent(layout: RawLayout, films: Sequence[Film]) -> None:
    silent = [film for film in films if not layout.sound_path(film.database, film.name).is_file()]
    if silent:
        path = layout.sound_path(silent[0].database, silent[0].name)
        _log.warning(
            "%d of %d films have no sound and are stored silent; first: %s is missing.", len(silent), len(films), path
        )


def _refuse_to_replace(output: Path, overwrite: bool) -> None:
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not overwrite:
        raise UserError(f"{output}: exists already. Give another --output, or --overwrite to replace it.")
    if not (output / "dataset_info.json").is_file():
        raise UserError(f"{output}: holds no shards, so --overwrite does not replace it. Give another --output.")


@contextlib.contextmanager
def _written_aside(output: Path) -> Iterator[Path]:
    """A new folder beside `output` that takes its place at the end, or is removed if anything fails."""
    parent = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        folder, old = parent / "new", parent / "old"
        folder.mkdir()
        yield folder
        if output.exists():
            output.rename(old)
        folder.rename(output)
    finally:
        shutil.rmtree(parent, ignore_errors=True)


@errors.command
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m data_pipelines.prepare",
        description="Makes shards, which training and scoring read, of raw data.",
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
    flags = parser.parse_args(argv)
    folder = prepare(
        flags.data,
        flags.output,
        size=flags.size,
        resize_filter=flags.resize_filter,
        databases=flags.databases,
        workers=flags.workers,
        overwrite=flags.overwrite,
    )
    opened = shards.Shards(folder)
    frames = sum(film.num_frames for film in opened.films)
    print(f"{folder}: {len(opened.films)} films, {frames} frames of {opened.size} x {opened.size}.")


if __name__ == "__main__":
    main()
