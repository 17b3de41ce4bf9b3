"""Reports what an ingestion wrote and left out."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data_pipelines.ingestion.film_to_raw import MANY_POINTS, FilmReport
from data_pipelines.ingestion.gaze import Conventions, GazeTables
from data_pipelines.ingestion.gaze_check import FILM, SHEET
from data_pipelines.ingestion.viewing_geometry import Units

CLOCK_ERROR_SECONDS = 0.1  # prepare cuts sound by a steady frame rate; beyond this, it is clearly early or late

LEAST_INSIDE = 0.8  # share of the gaze within the picture; with less, screen or units are likely wrong
LEAST_LASTING = 0.02  # share of the film in which much gaze lies; with less, the unit of times is likely wrong
MOST_UNTIMELY = 0.2  # share of the gaze before or after the film; with more, the clock is likely wrong

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class IngestReport:
    """What an ingestion wrote.

    Attributes:
      films: the films of the database.
      conventions: what is assumed of the recordings, each kind once.
      num_observers: 0 if the tables do not name observers.
      stills: whether the films are pictures.
    """

    films: list[FilmReport]
    conventions: list[Conventions]
    num_observers: int
    stills: bool = False

    @property
    def units(self) -> Units | None:
        """The unit of the gaze, of the first kind of recording; None for given maps."""
        return self.conventions[0].units

    def summary(self, raw: Path, database: str) -> str:
        """Returns a line for each kind of recording, and one for the database."""
        sigmas = sorted({round(film.sigma, 1) for film in self.films if film.sigma})
        blur = f"{sigmas[0]:g}" if len(sigmas) == 1 else f"{sigmas[0]:g} to {sigmas[-1]:g}" if sigmas else ""
        lines = [conventions.line() for conventions in self.conventions]
        if blur:
            lines[-1] += f"; sigma: {blur} pixels of the film"
        frames = sum(film.num_frames for film in self.films)
        empty = sum(film.num_frames_without_gaze for film in self.films)
        points = sum(film.num_points - film.num_outside - film.num_untimely for film in self.films)
        observers = f" of {self.num_observers} observers" if self.num_observers else ""
        films = f"{len(self.films)} films, {frames} frames, {empty} of them without gaze"
        return (
            "".join(f"gaze: {line}.\n" for line in lines)
            + f"{raw}: {database}, {f'{len(self.films)} pictures' if self.stills else films}; "
            f"{points} gaze points{observers}."
        )


def film_lines(report: IngestReport, raw: Path, database: str) -> str:
    """Returns a line for each film: how much gaze it has, and where its gaze is drawn."""
    lines = []
    for film in report.films:
        inside = 1 - film.num_outside / max(1, film.num_points)
        frames = (
            f"{film.num_frames_without_gaze} of {film.num_frames} frames without gaze; "
            f"{film.num_on_frames / film.num_frames:.1f} gaze points a frame; "
        )
        lines.append(
            f"{film.name}: {inside:.1%} of {film.num_points} gaze points within the picture; "
            f"{'' if report.stills else frames}{raw / 'annotations' / database / film.name}/"
            f"{SHEET if report.stills else f'{FILM}, {SHEET}'}."
        )
    return "\n".join(lines)


def warn_of_rows(tables: GazeTables) -> None:
    """Logs how many rows were left out."""
    for count, fault in ((tables.num_missing, "have no time or position"), (tables.num_invalid, "are not valid")):
        if count:
            _log.warning("%d of %d rows of gaze %s and are left out.", count, tables.num_rows, fault)


def warn_of_films(reports: Sequence[FilmReport], stills: bool = False) -> None:
    """Logs one line for each kind of fault, with its count and a film. `stills`: whether the films are pictures."""
    films = "pictures" if stills else "films"
    total = sum(report.num_points for report in reports)
    for fault, count_of in (
        ("are outside the picture", lambda report: report.num_outside),
        ("are before or after the film", lambda report: report.num_untimely),
    ):
        count = sum(map(count_of, reports))
        if count:
            worst = max(reports, key=count_of)
            _log.warning(
                "%d of %d gaze points %s and are left out; most: %d of %s.",
                count,
                total,
                fault,
                count_of(worst),
                worst.name,
            )
    _warn_of_place_and_clock(reports)
    if extra := [report for report in reports if report.num_maps_left_out]:
        _log.warning(
            "%d of %d films have maps of frames that they do not have; first: %d of %s.",
            len(extra),
            len(reports),
            extra[0].num_maps_left_out,
            extra[0].name,
        )
    for fault, faulty in (
        ("are left out", [report for report in reports if report.left_out]),
        ("have no sound", [report for report in reports if not (report.left_out or report.has_sound or stills)]),
        (
            "have no steady frame rate, so that their sound is cut too early or too late (ffmpeg -fps_mode cfr helps)",
            [report for report in reports if report.clock_error_seconds > CLOCK_ERROR_SECONDS],
        ),
    ):
        if faulty:
            first = " ".join(filter(None, (faulty[0].name, faulty[0].left_out)))
            _log.warning("%d of %d %s %s; first: %s.", len(faulty), len(reports), films, fault, first)


def _warn_of_place_and_clock(reports: Sequence[FilmReport]) -> None:
    """Logs one line for each sign of a wrong screen, unit or clock: gaze beside the picture or the film, or crowded."""
    seen = [report for report in reports if report.num_points]
    if low := [report for report in seen if report.num_outside > (1 - LEAST_INSIDE) * report.num_points]:
        lowest = max(low, key=lambda report: report.num_outside / report.num_points)
        _log.warning(
            "%d of %d films have less than %.0f%% of their gaze within the picture; least: %.0f%% of %s. "
            "Check --screen, --shown and --units; --check draws the gaze.",
            len(low),
            len(seen),
            100 * LEAST_INSIDE,
            100 - 100 * lowest.num_outside / lowest.num_points,
            lowest.name,
        )
    if corner := [report for report in seen if report.is_in_corner]:
        text = "%d of %d films have all their gaze in the upper left quarter of the picture; first: %s. %s"
        advice = "Check --screen and --units: x and y must be pixels of the film, or fractions."
        _log.warning(text, len(corner), len(seen), corner[0].name, advice)
    if crowded := list(filter(_is_crowded, seen)):
        text = "%d of %d films have all their gaze within %.0f%% of their length; first: %s. %s"
        advice = "Check that times are seconds, or name their column time_ms or frame."
        _log.warning(text, len(crowded), len(seen), 100 * LEAST_LASTING, crowded[0].name, advice)
    late = [report for report in seen if report.num_untimely > MOST_UNTIMELY * (report.num_points - report.num_outside)]
    if late and (of := late[0]).gaze_seconds and of.fps:
        _log.warning(
            "%d of %d films have more than %.0f%% of their gaze before or after the film; first: the gaze of %s lasts "
            "from %.1f to %.1f s, the film from 0 to %.1f s. Check that times are relative to the film's start.",
            len(late),
            len(seen),
            100 * MOST_UNTIMELY,
            of.name,
            *of.gaze_seconds,
            of.num_frames / of.fps,
        )


def _is_crowded(report: FilmReport) -> bool:
    first, last = report.gaze_seconds or (0, 0)
    is_timed = report.gaze_seconds is not None and report.num_points >= MANY_POINTS and not report.num_untimely
    return is_timed and report.fps > 0 and (last - first) * report.fps < LEAST_LASTING * report.num_frames
