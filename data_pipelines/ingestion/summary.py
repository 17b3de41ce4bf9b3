"""What a user reads of an ingest: what was left out, counted, and what was written."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data_pipelines.ingestion.film_to_raw import FilmReport
from data_pipelines.ingestion.gaze_tables import GazeTables
from data_pipelines.ingestion.viewing_geometry import Units

CLOCK_ERROR_SECONDS = 0.1  # sound is cut by a steady frame rate: this far off, it is heard too early or too late

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class IngestReport:
    """What was written. units, on_screen: how gaze was measured. num_observers: 0 if the tables do not tell."""

    films: list[FilmReport]
    units: Units
    on_screen: bool
    num_observers: int

    def summary(self, raw: Path, database: str) -> str:
        """Two lines for the user."""
        sigmas = sorted({round(film.sigma, 1) for film in self.films})
        blur = f"{sigmas[0]:g}" if len(sigmas) == 1 else f"{sigmas[0]:g} to {sigmas[-1]:g}"
        frames = sum(film.num_frames for film in self.films)
        empty = sum(film.num_frames_without_gaze for film in self.films)
        points = sum(film.num_points - film.num_outside - film.num_untimely for film in self.films)
        observers = f" of {self.num_observers} observers" if self.num_observers else ""
        return (
            f"gaze: {self.units} of the {'screen' if self.on_screen else 'film'}; sigma: {blur} pixels of the film.\n"
            f"{raw}: {database}, {len(self.films)} films, {frames} frames, {empty} of them without gaze; "
            f"{points} gaze points{observers}."
        )


def warn_of_rows(tables: GazeTables) -> None:
    for count, fault in ((tables.num_missing, "have no time or position"), (tables.num_invalid, "are not valid")):
        if count:
            _log.warning("%d of %d rows of gaze %s and are left out.", count, tables.num_rows, fault)


def warn_of_films(reports: Sequence[FilmReport]) -> None:
    """One line for each kind of fault, with its count and the first film."""
    total = sum(report.num_points for report in reports)
    for fault, count_of in (
        ("lie beside the picture", lambda report: report.num_outside),
        ("lie before or after the film", lambda report: report.num_untimely),
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
    for fault, faulty in (
        ("are left out", [report for report in reports if report.left_out]),
        ("have no sound", [report for report in reports if not (report.left_out or report.has_sound)]),
        (
            "have no steady frame rate, so that their sound is cut too early or too late",
            [report for report in reports if report.clock_error_seconds > CLOCK_ERROR_SECONDS],
        ),
    ):
        if faulty:
            first = " ".join(filter(None, (faulty[0].name, faulty[0].left_out)))
            _log.warning("%d of %d films %s; first: %s.", len(faulty), len(reports), fault, first)
