"""Gaze as it is read from files, before it is laid on frames."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_pipelines.ingestion.viewing_geometry import Units, Viewing
from data_pipelines.runtime.errors import UserError

if TYPE_CHECKING:
    from data_pipelines.ingestion.given_maps import GivenMaps

LARGEST_FRACTION = 2.0  # gaze may leave the picture, but not by its own size


@dataclass(frozen=True)
class Conventions:
    """Units, screen and clock of a recording, as its file or its database states them. Flags take precedence.

    Attributes:
      name: the format or the database, for the user; empty for a table, which says nothing.
      units: the unit of x and y; None if the numbers must tell.
      viewing: the screen, the film's place on it, and the Gaussian of the database's own maps.
      clock: how times or frames are counted, for the user.
    """

    name: str = ""
    units: Units | None = None
    viewing: Viewing = field(default_factory=Viewing)
    clock: str = ""

    def with_flags(self, units: Units | None, viewing: Viewing) -> "Conventions":
        """Returns what is assumed of the recording: as the user says, else as the file says."""
        return replace(self, units=units or self.units, viewing=viewing.over(self.viewing))

    def line(self) -> str:
        """Returns what is assumed of the recording, for the user."""
        if self.units is None:
            return f"{self.name}: {self.clock}"
        where, of = "the film", self.viewing
        if not self.name:
            return f"{self.units} of the {'screen' if of.screen else 'film'}"
        if of.screen and not of.measured_on_film:
            place = "unscaled" if of.shown == "native" else "fills it"
            if of.corner:
                place = f"at ({of.corner[0]:g}, {of.corner[1]:g})"
            where = f"a screen of {of.screen[0]}x{of.screen[1]}, the film {place}"
        of_what = "from the centre of" if of.from_centre else "of"
        return ", ".join(filter(None, (f"{self.name}: {self.units} {of_what} {where}", self.clock)))


@dataclass(frozen=True)
class GazeTable:
    """The gaze of one film in one file. Arrays are float64 [N] but for `observer`.

    Attributes:
      starts: seconds since the film's first frame, or frame numbers from 1 if `counts_frames`.
      durations: seconds, 0 for a sample.
      x, y: position from the upper left corner, in the unit of the file.
      counts_frames: whether `starts` are frame numbers.
      observer: positions in `observers`, int [N].
      observers: names of the observers; empty if the file does not name them.
      conventions: those of the recording.
      density_film: film of the density maps that a database publishes beside its gaze.
    """

    starts: np.ndarray
    durations: np.ndarray
    x: np.ndarray
    y: np.ndarray
    counts_frames: bool
    observer: np.ndarray
    observers: tuple[str, ...]
    conventions: Conventions = field(default_factory=Conventions)
    density_film: Path | None = None


@dataclass
class GazeTables:
    """The content of all files.

    Attributes:
      gaze: video -> its tables, one for each file.
      maps: video -> its maps, if a database publishes maps in place of gaze.
      num_rows: rows of all files.
      num_missing: rows left out because they have no time or position.
      num_invalid: rows left out because of their column `valid`.
    """

    gaze: dict[str, list[GazeTable]] = field(default_factory=dict)
    maps: dict[str, "GivenMaps"] = field(default_factory=dict)
    num_rows: int = 0
    num_missing: int = 0
    num_invalid: int = 0


def find_units(gaze: Iterable[GazeTable]) -> Units:
    """Returns whether gaze is in pixels or in fractions of the picture. Raises UserError if this is in doubt."""
    small = total = 0
    for part in gaze:
        small += int(np.count_nonzero((np.abs(part.x) <= LARGEST_FRACTION) & (np.abs(part.y) <= LARGEST_FRACTION)))
        total += len(part.x)
    if small > 0.9 * total:
        return "fraction"
    if small < 0.5 * total:
        return "pixels"
    raise UserError(
        f"--units: {small} of {total} gaze points look like fractions of the picture, the others like pixels. "
        "Give --units pixels or --units fraction."
    )
