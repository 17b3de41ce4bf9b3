"""Makes a database in the raw layout from a user's films, or pictures, and their gaze."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from data_pipelines.ingestion import film_names, gaze_files, gaze_of_films
from data_pipelines.ingestion.film_to_raw import SINGLE_FRAME, FilmJob, FilmReport, ingest_film
from data_pipelines.ingestion.summary import IngestReport, warn_of_films, warn_of_rows
from data_pipelines.ingestion.viewing_geometry import Units, Viewing
from data_pipelines.raw import list_writer, transaction
from data_pipelines.raw.film_writer import FilmWriter
from data_pipelines.raw.fold_lists import ListedFilm
from data_pipelines.runtime import processes
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
    check: bool = False,
    stills: bool = False,
) -> IngestReport:
    """Adds a database to a raw data folder.

    Leaves out films without gaze and points outside the picture; warnings count them.

    Args:
      films: files, folders or patterns, as for `films.paths.find_films`.
      gaze: tables, recordings of trackers, files or maps of databases, or folders of them.
      raw: the raw data folder. Its other databases stay as they are.
      database: name of the database.
      test: names of the test films of every split; the others are training films. By default, the test films of each of
        the three splits are drawn at random.
      test_share: share of the films that is drawn for testing.
      seed: decides which films are drawn.
      units: unit of the gaze. By default found from the numbers.
      columns: names of the tables' columns, see `gaze_files.read_gaze`.
      viewing: how the films were shown.
      height: pixels; higher films are scaled down to it. By default films keep their size.
      workers: number of processes, by default one per core.
      overwrite: whether to replace a database of this name.
      check: whether to draw the gaze over each film, as check.mp4 and check.png beside its annotations.
      stills: whether `films` are pictures, each a film of one frame. Its gaze needs no times.

    Raises:
      UserError: something cannot be read or does not fit together. Nothing is written.
    """
    list_writer.check_split(database, test, test_share)
    for flag, number, least in (("height", height, 16), ("workers", workers, 1), ("seed", seed, 0)):
        if number is not None and number < least:
            raise UserError(f"--{flag} {number}: is too small. Give {least} or more.")
    with transaction.new_database(Path(raw), database, overwrite) as layout:
        files = film_names.named_pictures(films) if stills else film_names.named_films(films)
        tests: list_writer.Tests | None = None if test is None else _named_tests(test, files)
        tables = gaze_files.read_gaze(gaze, columns, stills=stills, raw=Path(raw))
        warn_of_rows(tables)
        gaze_of, maps_of = gaze_of_films.of_films(tables.gaze, tables.maps, files)
        gaze_of, maps_of, used = gaze_of_films.with_flags(gaze_of, maps_of, units, viewing or Viewing())
        jobs = [
            FilmJob(files[name].absolute(), gaze_of.get(name, []), maps_of.get(name), height, check, stills, writer)
            for name in sorted({*gaze_of, *maps_of})
            for writer in [FilmWriter(layout, database, name)]
        ]
        reports = sorted(_write_all(jobs, workers), key=lambda report: report.name)
        without_gaze = [FilmReport(name, "has no gaze") for name in files if name not in {*gaze_of, *maps_of}]
        warn_of_films(reports + without_gaze, stills)
        kept = [report for report in reports if not report.left_out]
        if not kept:
            raise _no_film(reports[0], stills)
        if tests is None:
            tests = list_writer.random_tests([report.name for report in kept], test_share, seed)
        listed = [ListedFilm(database, report.name, report.num_frames, report.fps) for report in kept]
        list_writer.write_lists(layout.root / "fold_lists", listed, tests)
    observers = {name for report in kept for table in gaze_of.get(report.name, ()) for name in table.observers if name}
    return IngestReport(kept, used, len(observers), stills)


def _named_tests(names: Sequence[str], files: Mapping[str, Path]) -> set[str]:
    """Returns the test films by their names in the raw layout. A name without a film may be a list with commas."""
    given = [part for name in names for part in ([name] if film_names.match_names([name], files) else name.split(","))]
    matches = film_names.match_names(given, files)
    for name in given:
        if name not in matches:
            raise UserError(f"--test {name!r}: is not one of the films. Choose from {', '.join(files)}.")
    return set(matches.values())


def _no_film(first: FilmReport, stills: bool) -> UserError:
    """Returns the error for a database of which no film can be used."""
    flag, advice = "--films", "Give other films."
    if first.left_out.startswith("has no gaze"):
        since = "" if stills else ", and that times are seconds since the film starts"
        flag, advice = "--gaze", f"Check --units and --screen{since}."
    elif first.left_out == SINGLE_FRAME:
        advice = "Give longer films, or --stills for pictures."
    return UserError(f"{flag}: no film can be used; first: {first.name} {first.left_out}. {advice}")


def _write_all(jobs: Sequence[FilmJob], workers: int | None) -> Iterable[FilmReport]:
    """Yields the report of each film. The longest files start first, so that none runs alone at the end."""
    jobs = sorted(jobs, key=lambda job: -job.path.stat().st_size)
    with processes.workers_for(len(jobs), workers) as executor:
        done = processes.in_parallel(executor, ingest_film, ((job,) for job in jobs))
        for _, report in track(done, "Films", len(jobs), console=Console(stderr=True), transient=True):
            yield report
