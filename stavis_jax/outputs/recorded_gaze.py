"""The recorded gaze of films, for outputs that draw it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_pipelines.films.film import Film, film_name
from data_pipelines.films.still import Still
from data_pipelines.ingestion.film_names import safe_name
from data_pipelines.ingestion.gaze import GazeTable
from data_pipelines.ingestion.gaze_files import read_gaze
from data_pipelines.ingestion.gaze_of_films import of_films, with_flags
from data_pipelines.ingestion.viewing_geometry import Units, Viewing
from data_pipelines.runtime.errors import UserError


@dataclass(frozen=True, eq=False)
class RecordedGaze:
    """Gaze by the names of films; see `film_names.safe_name`."""

    tables: Mapping[str, Sequence[GazeTable]]

    def of(self, film: Film) -> Sequence[GazeTable]:
        """Returns the tables of a film.

        Raises:
          UserError: there are none, or the film is a picture.
        """
        found = self.tables.get(safe_name(film.name), ())
        if isinstance(film, Still):
            raise UserError(f"{film.path}: is a picture. Draw recorded gaze over films only.")
        if not found:
            raise UserError(f"{film.path}: has no gaze in the files of --gaze. Leave it out, or add its gaze.")
        return found

    def digest(self) -> str:
        """Returns a text that is the same for equal gaze only."""
        content = hashlib.sha256()
        for name, tables in sorted(self.tables.items()):
            for table in tables:
                content.update(repr((name, table.counts_frames, table.observers, table.conventions)).encode())
                for values in (table.starts, table.durations, table.x, table.y, table.observer):
                    content.update(np.ascontiguousarray(values).tobytes())
        return content.hexdigest()[:16]


def read_recorded_gaze(
    paths: Sequence[Path],
    films: Sequence[Path],
    units: Units | None = None,
    viewing: Viewing | None = None,
    columns: Mapping[str, str] | None = None,
) -> RecordedGaze:
    """Reads the gaze of films from tables, recordings of eye trackers or folders of them.

    Args:
      paths: see `gaze_files.read_gaze`.
      films: the films, whose names the files use.
      units: unit of the positions, by default as the files say, or found from the numbers.
      viewing: how the films were shown, where the files do not say.
      columns: our names of columns -> those in the tables; see `gaze_files.read_gaze`.

    Raises:
      UserError: a file cannot be read, or these films have no gaze.
    """
    gaze, maps = of_films(read_gaze(paths, columns).gaze, {}, {safe_name(film_name(film)): film for film in films})
    return RecordedGaze(with_flags(gaze, maps, units, viewing or Viewing())[0])
