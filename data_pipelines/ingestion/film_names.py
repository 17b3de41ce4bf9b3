"""Names of a user's films: in the raw layout and in gaze tables."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from data_pipelines.films.film import film_name
from data_pipelines.films.paths import find_films
from data_pipelines.runtime.errors import UserError

_UNSAFE = re.compile(r'[\s\x00-\x1f\x7f/\\:*?"<>|]+')  # white space ends a name in fold_lists; others do in some shells


def named_films(paths: Sequence[Path | str]) -> dict[str, Path]:
    """Returns the films of files, folders and patterns by their names in the raw layout, sorted by name.

    Raises:
      UserError: a path gives no film, or two films have the same name.
    """
    films: dict[str, Path] = {}
    for film in find_films(paths):
        other = films.setdefault(safe_name(film_name(film)), film)
        if other is not film:
            raise UserError(f"{film}: has the same name as {other}, without suffix and blanks. Rename one of them.")
    return dict(sorted(films.items()))


def safe_name(stem: str) -> str:
    """Returns a film's name as a folder and in a list: `a film` becomes `a_film`. It has no leading dot."""
    encodable = unicodedata.normalize("NFC", stem).encode("utf-8", "replace").decode()
    return _UNSAFE.sub("_", encodable.lstrip(".").strip()) or "_"


def match_names(names: Iterable[str], films: Mapping[str, Path]) -> dict[str, str]:
    """Returns name in a table -> film. Leaves out names that match no film.

    A table may have a film's file name, with or without suffix, or its name in the raw layout.
    """
    known: dict[str, str] = {}
    for film, path in films.items():
        for form in (path.name, path.stem, film):
            known.setdefault(unicodedata.normalize("NFC", form).strip(), film)
    matches = {name: known.get(unicodedata.normalize("NFC", name).strip()) for name in names}
    return {name: film for name, film in matches.items() if film is not None}
