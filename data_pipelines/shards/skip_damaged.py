"""Films with a missing or damaged file: the first one ends the work, or all are left out and counted."""

import logging

from data_pipelines.raw.fold_lists import ListedFilm
from data_pipelines.runtime.errors import UserError

_NAMED_IN_THE_WARNING = 3

_log = logging.getLogger(__name__)


class Damage:
    """Films that cannot be used, each with a line that names the file."""

    def __init__(self, *, skip: bool):
        self._skip = skip
        self._faults: dict[ListedFilm, str] = {}

    def add(self, film: ListedFilm, fault: str) -> None:
        """Raises UserError unless such films are skipped."""
        if not self._skip:
            raise UserError(f"{fault} --skip-damaged leaves such films out.")
        self._faults[film] = fault

    def __contains__(self, film: ListedFilm) -> bool:
        return film in self._faults

    def warn(self, num_films: int) -> None:
        """One warning for all. Raises UserError if no film is left of `num_films`."""
        if not self._faults:
            return
        faults = list(self._faults.values())
        if len(faults) == num_films:
            raise UserError(f"No film is left: all {num_films} have a missing or damaged file; first: {faults[0]}")
        named = " ".join(faults[:_NAMED_IN_THE_WARNING])
        more = " ..." if len(faults) > _NAMED_IN_THE_WARNING else ""
        _log.warning("%d of %d films are damaged and left out: %s%s", len(faults), num_films, named, more)
