"""Command: a user's own films with gaze data -> raw data, which data_pipelines.prepare makes shards of.

python -m data_pipelines.ingest --films FILMS --gaze GAZE --database NAME --output RAW
"""

import argparse
import concurrent.futures
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import rich.console
import rich.progress

from data_pipelines.ingestion import film_names, gaze_tables
from data_pipelines.ingestion.film_to_raw import FilmJob, FilmReport, write_film
from data_pipelines.ingestion.gaze_tables import Gaze, GazeTables
from data_pipelines.ingestion.summary import IngestReport, warn_of_films, warn_of_rows
from data_pipelines.ingestion.viewing_geometry import Units, Viewing, find_units
from data_pipelines.raw import list_writer, transaction
from data_pipelines.raw.fold_lists import ListedFilm
from data_pipelines.runtime import processes
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError

_log = logging.getLogger(__name__)


def ingest(
    films: Sequence[Path | str],
    gaze: Sequence[Path | str],
    raw: Path | str,
    database: str,
    *,
    test: Sequence[str] | None = None,
    test_share: float = 0.2,
    seed: int = 0,
    units: Units | None = None,
    columns: Mapping[str, str] | None = None,
    viewing: Viewing | None = None,
    height: int | None = None,
    workers: int | None = None,
    overwrite: bool = False,
) -> IngestReport:
    """Adds the database `database`, made of films and gaze tables, to the raw data folder `raw`.

    `films`, `gaze`: files or folders; `columns` as of `gaze_tables.read_gaze`. `test`: names of the test films, for all
    splits; without it, each of the three splits tests on `test_share` of the films, drawn by `seed`. `units`: found
    from the numbers by default. `viewing`: how films were shown. `height`: higher films are scaled down to it, in
    pixels. `workers`: processes; one a core by default. A database of this name is replaced only with `overwrite`.
    Films without gaze are left out, and points beside the picture dropped; warnings count them.
    Raises UserError, and writes nothing, for what cannot be read or does not fit together.
    """
    viewing = viewing or Viewing()
    list_writer.check_split(database, test, test_share)
    for flag, number, least in (("height", height, 16), ("workers", workers, 1), ("seed", seed, 0)):
        if number is not None and number < least:
            raise UserError(f"--{flag} {number}: is too small. Give {least} or more.")
    with transaction.new_database(Path(raw), database, overwrite) as layout:
        files = film_names.films_by_name(films)
        tested = None if test is None else _named_films(test, files)
        tables = gaze_tables.read_gaze(gaze, columns)
        warn_of_rows(tables)
        gaze_of = _gaze_of_films(tables, files)
        units = units or find_units(part for parts in gaze_of.values() for part in parts)
        jobs = [
            FilmJob(path.absolute(), name, gaze_of[name], units, viewing, height, layout, database)
            for name, path in files.items()
            if name in gaze_of
        ]
        reports = sorted(_write_all(jobs, workers or os.cpu_count() or 1), key=lambda report: report.name)
        without_gaze = [FilmReport(name, "has no gaze") for name in files if name not in gaze_of]
        warn_of_films(reports + without_gaze)
        kept = [report for report in reports if not report.left_out]
        if not kept:
            raise UserError(
                f"--gaze: no film can be used; first: {reports[0].name} {reports[0].left_out}. "
                "Check --units and --screen, and that times are seconds since the film's start."
            )
        if tested is None:
            tested = list_writer.random_tests([report.name for report in kept], test_share, seed)
        listed = [ListedFilm(database, report.name, report.num_frames, report.fps) for report in kept]
        list_writer.write_lists(layout.root / "fold_lists", listed, tested)
    observers = {name for report in kept for part in gaze_of[report.name] for name in part.observers if name}
    return IngestReport(kept, units, viewing.screen is not None, len(observers))


def _named_films(names: Sequence[str], files: Mapping[str, Path]) -> set[str]:
    matches = film_names.match_names(names, files)
    for name in names:
        if name not in matches:
            raise UserError(f"--test {name!r}: is no film given. Choose from {', '.join(files)}.")
    return set(matches.values())


def _gaze_of_films(tables: GazeTables, files: Mapping[str, Path]) -> dict[str, list[Gaze]]:
    """Film -> its gaze. Raises UserError if no table is about a film; a warning counts the other tables' videos."""
    matches = film_names.match_names(tables.gaze, files)
    unknown = [video for video in tables.gaze if video not in matches]
    if not matches:
        held = f"is of {unknown[0]!r}" if unknown else "has no usable row"
        raise UserError(
            f"--gaze: {held}, and the films are {', '.join(files)}. Name videos in the tables as the files."
        )
    if unknown:
        _log.warning("%d videos of the gaze tables have no film and are left out; first: %r.", len(unknown), unknown[0])
    gaze: dict[str, list[Gaze]] = {}
    for video, film in matches.items():
        gaze.setdefault(film, []).extend(tables.gaze[video])
    return gaze


def _write_all(jobs: Sequence[FilmJob], workers: int) -> Iterator[FilmReport]:
    """The longest files start first: none is left for the end alone."""
    jobs = sorted(jobs, key=lambda job: -job.path.stat().st_size)
    with rich.progress.Progress(
        *rich.progress.Progress.get_default_columns(),
        rich.progress.MofNCompleteColumn(),
        console=rich.console.Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task("films", total=len(jobs))
        for report in _each(jobs, min(workers, len(jobs))):
            progress.update(task, advance=1)
            yield report


def _each(jobs: Sequence[FilmJob], workers: int) -> Iterator[FilmReport]:
    if workers == 1:
        yield from map(write_film, jobs)
        return
    pool = processes.new_pool(workers)
    try:
        with processes.worker_death_as_user_error(pool):
            for done in concurrent.futures.as_completed([pool.submit(write_film, job) for job in jobs]):
                yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m data_pipelines.ingest",
        description="Makes raw data, as data_pipelines.prepare reads them, of films and tables of gaze.",
        epilog="example: python -m data_pipelines.ingest --films films --gaze gaze.csv --database Mine --output raw "
        "--viewing-distance 60 --screen-width 53. The tables' columns: docs/your_own_data.md",
    )
    add = parser.add_argument
    add("--films", nargs="+", type=Path, required=True, metavar="PATH", help="films, or folders of films")
    add(
        "--gaze",
        nargs="+",
        type=Path,
        required=True,
        metavar="PATH",
        help="tables (.csv .tsv .txt), or folders of them",
    )
    add("--database", required=True, metavar="NAME", help="name of the database to make")
    add("--output", type=Path, required=True, metavar="RAW", help="raw data folder; its other databases stay")
    add(
        "--columns",
        nargs="+",
        type=_pair,
        default=[],
        metavar="OURS=YOURS",
        help="columns named otherwise: time=t x=gx",
    )
    add("--units", choices=("auto", "pixels", "fraction"), default="auto", help="of x and y (default: auto)")
    screen = parser.add_argument_group("how the films were shown")
    add = screen.add_argument
    add(
        "--screen",
        type=_size,
        metavar="WxH",
        help="x and y are measured on a screen of this size (default: on the film)",
    )
    add(
        "--shown",
        choices=("fit", "native"),
        default="fit",
        help="with --screen: as large as fits (default), or unscaled",
    )
    add("--viewing-distance", type=float, metavar="CM", help="from eye to screen, for a blur in degrees")
    add("--screen-width", type=float, metavar="CM", help="of the screen's picture")
    add(
        "--screen-pixels",
        type=int,
        metavar="N",
        help="screen's width, if films did not fill it and --screen is not given",
    )
    add("--sigma-degrees", type=float, default=1.0, metavar="DEG", help="std of the blur in visual angle (default: 1)")
    add("--sigma", type=float, metavar="PIXELS", help="std of the blur in pixels of the film (default: width / 40)")
    split = parser.add_argument_group("who trains and who tests")
    add = split.add_mutually_exclusive_group().add_argument
    add("--test", nargs="+", metavar="FILM", help="test films of all splits; the others train")
    add("--test-share", type=float, default=0.2, metavar="S", help="drawn anew for each of three splits (default: 0.2)")
    split.add_argument("--seed", type=int, default=0, help="another seed, other test films (default: 0)")
    add = parser.add_argument
    add("--height", type=int, metavar="PIXELS", help="scale higher films down to this (default: keep)")
    add("--workers", type=int, help="processes (default: one a core)")
    add("--overwrite", action="store_true", help="replace a database of this name")
    return parser


def _pair(text: str) -> tuple[str, str]:
    ours, equals, yours = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not OURS=YOURS")
    return ours.strip(), yours


def _size(text: str) -> tuple[int, int]:
    width, height = text.lower().split("x")
    return int(width), int(height)


@command
def main(argv: Sequence[str] | None = None) -> None:
    flags = _parser().parse_args(argv)
    report = ingest(
        flags.films,
        flags.gaze,
        flags.output,
        flags.database,
        test=flags.test,
        test_share=flags.test_share,
        seed=flags.seed,
        units=None if flags.units == "auto" else flags.units,
        columns=dict(flags.columns),
        viewing=Viewing(
            screen=flags.screen,
            shown=flags.shown,
            sigma=flags.sigma,
            distance_cm=flags.viewing_distance,
            screen_width_cm=flags.screen_width,
            screen_pixels=flags.screen_pixels,
            sigma_degrees=flags.sigma_degrees,
        ),
        height=flags.height,
        workers=flags.workers,
        overwrite=flags.overwrite,
    )
    print(report.summary(flags.output, flags.database))


if __name__ == "__main__":
    main()
