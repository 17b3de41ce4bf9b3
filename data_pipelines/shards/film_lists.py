"""Lists of films as shards hold them: all films, each once, and each list as positions among these."""

import logging
from collections.abc import Mapping, Sequence

from data_pipelines.raw.fold_lists import ListedFilm

Lists = Mapping[
    str, Mapping[int, Sequence[ListedFilm]]
]  # subset -> split -> films, as `fold_lists.read_all_lists` gives

_log = logging.getLogger(__name__)


def films_of(lists: Lists) -> list[ListedFilm]:
    """All films. Where lists contradict each other, the first is followed; a warning counts the others' lines."""
    films: dict[tuple[str, str], ListedFilm] = {}
    contradictions: list[ListedFilm] = []
    for splits in lists.values():
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
    return list(films.values())


def positions(lists: Lists, films: Sequence[ListedFilm]) -> dict[str, dict[str, list[int]]]:
    """Subset -> split -> positions in `films`, in the order of the list. Other films are left out."""
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
