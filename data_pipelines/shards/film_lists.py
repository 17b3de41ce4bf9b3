"""Chooses the films that shards hold: each listed film once, without damaged ones. Converts lists to positions."""

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from data_pipelines.raw.fold_lists import ListedFilm
from data_pipelines.runtime.errors import UserError

Lists = Mapping[Any, Mapping[int, Sequence[ListedFilm]]]  # subset -> split -> films, see `fold_lists.read_all_lists`

_NAMED_IN_THE_WARNING = 3

_log = logging.getLogger(__name__)


def films_of(lists: Lists) -> list[ListedFilm]:
    """Returns every film once. Where lists contradict each other, the first one is used, and a warning is logged."""
    films: dict[tuple[str, str], ListedFilm] = {}
    listed = [film for splits in lists.values() for films in splits.values() for film in films]
    contradictions = [film for film in listed if films.setdefault((film.database, film.name), film) != film]
    if contradictions:
        first = contradictions[0]
        _log.warning(
            "%d lines of fold_lists contradict earlier ones, which are used; first: %s/%s, %d frames, %g Hz.",
            len(contradictions), first.database, first.name, first.num_frames, first.fps,
        )  # fmt: skip
    return list(films.values())


def positions(lists: Lists, films: Sequence[ListedFilm]) -> dict[str, dict[str, list[int]]]:
    """Returns subset -> split -> positions in `films`, in the order of the list. Leaves out other films."""
    position = {(film.database, film.name): number for number, film in enumerate(films)}
    return {
        subset: {
            str(split): [
                position[film.database, film.name] for film in listed if (film.database, film.name) in position
            ]
            for split, listed in splits.items()
        }
        for subset, splits in lists.items()
    }


class DamagedFilms:
    """Collects films with a missing or damaged file. Unless they are skipped, the first one raises UserError."""

    def __init__(self, *, skip: bool):
        self._skip = skip
        self._faults: dict[ListedFilm, str] = {}

    def add(self, film: ListedFilm, fault: str) -> None:
        """Adds a film. `fault` is one line that names the file."""
        if not self._skip:
            raise UserError(f"{fault} --skip-damaged leaves such films out.")
        self._faults[film] = fault

    @contextlib.contextmanager
    def collect(self, film: ListedFilm) -> Iterator[None]:
        """Adds the film if the block raises UserError."""
        try:
            yield
        except UserError as fault:
            self.add(film, str(fault))

    def __contains__(self, film: ListedFilm) -> bool:
        return film in self._faults

    def warn(self, num_films: int) -> None:
        """Logs one warning for all damaged films. Raises UserError if none of `num_films` films is left."""
        faults = list(self._faults.values())
        if faults and len(faults) == num_films:
            raise UserError(f"No film is left: all {num_films} have a missing or damaged file; first: {faults[0]}")
        if faults:
            named = " ".join(faults[:_NAMED_IN_THE_WARNING]) + (" ..." if faults[_NAMED_IN_THE_WARNING:] else "")
            _log.warning("%d of %d films are damaged and left out: %s", len(faults), num_films, named)
