"""Names of a user's films and pictures: in the raw layout and in gaze tables."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from data_pipelines.films.film import film_name
from data_pipelines.films.frame_folder import PICTURE_SUFFIXES
from data_pipelines.films.paths import find_films, find_pictures
from data_pipelines.raw.name_forms import FILM_SUFFIXES
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.folders import is_system_name

IMAGES = ("images",)
OR = "\0"  # between names of which one is a film's; no file has it in its name
_UNSAFE = re.compile(r'[\s\x00-\x1f\x7f/\\:*?"<>|]+')  # white space ends a name in fold_lists; others do in some shells


def named_films(paths: Sequence[Path | str]) -> dict[str, Path]:
    """Returns the films of files, folders and patterns by their names in the raw layout, sorted by name.

    A folder `images` holds the frames of the film that its parent is named after, as some databases publish them.

    Raises:
      UserError: a path gives no film, or two films have the same name.
    """
    found = find_films([inner for path in paths for inner in _with_images(path)])
    return _named((shown_name(film), film) for film in found)


def named_pictures(paths: Sequence[Path | str]) -> dict[str, Path]:
    """Returns the pictures of files, folders and patterns by their names in the raw layout, sorted by name.

    Raises:
      UserError: a path gives no picture, or two pictures have the same name.
    """
    return _named((picture.stem, picture) for picture in find_pictures(paths))


def shown_name(film: Path) -> str:
    """Returns the name of a film. A folder `images` is named after the folder it lies in."""
    return film.parent.name if film.name in IMAGES and film.is_dir() else film_name(film)


def _named(found: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    films: dict[str, Path] = {}
    for name, film in found:
        other = films.setdefault(safe_name(name), film)
        if other is not film:
            raise UserError(f"{film}: has the same name as {other}, without suffix and blanks. Rename one of them.")
    return dict(sorted(films.items()))


def safe_name(stem: str) -> str:
    """Returns a film's name as a folder and in a list: `a film` becomes `a_film`. It has no leading dot."""
    encodable = unicodedata.normalize("NFC", stem).encode("utf-8", "replace").decode()
    return _UNSAFE.sub("_", encodable.lstrip(".").strip()) or "_"


def match_names(names: Iterable[str], films: Mapping[str, Path]) -> dict[str, str]:
    """Returns name in a table -> film. Leaves out names that match no film.

    A table may have a film's file name, with or without suffix or with that of another format, or its name in the raw
    layout. A path may stand before it. Capitals may differ if only one film has the name. A number may have more or
    fewer zeros before it: DHF1K calls a film 601.AVI and its maps 0601. Of names with OR between them, the first that
    is a film's counts.
    """
    known: dict[str, str] = {}
    for film, path in films.items():
        for form in (path.name, path.stem, film):
            known.setdefault(unicodedata.normalize("NFC", form).strip(), film)
    without_case: dict[str, set[str]] = {}
    for form, film in known.items():
        without_case.setdefault(form.casefold(), set()).add(film)
    by_number = _only_numbers(films)
    matches = {}
    for name in names:
        for form in _forms(name):
            same = without_case.get(form.casefold(), set())
            found = known.get(form, next(iter(same)) if len(same) == 1 else None)
            found = found or by_number.get(int(form) if form.isdecimal() else -1)
            if found is not None:
                matches[name] = found
                break
    return matches


def _forms(names: str) -> Iterator[str]:
    """Yields a name in a table as it is, without a path before it, and without the suffix of a film."""
    for name in names.split(OR):
        whole = unicodedata.normalize("NFC", name).strip()
        last = re.split(r"[/\\]", whole)[-1]
        yield from (whole, last, unquote(last))  # experiments in a browser write my%20film.mp4?start=1
        last = unquote(re.sub(r"[?#].*", "", whole).rpartition("/")[2] if "://" in whole else last)
        yield last
        stem, _, suffix = last.rpartition(".")
        if f".{suffix.lower()}" in (*FILM_SUFFIXES, *PICTURE_SUFFIXES):  # it may have been shown in another format
            yield stem


def _only_numbers(films: Mapping[str, Path]) -> dict[int, str]:
    """Returns number -> film, of the films whose names are numbers that no other film has."""
    numbers: dict[int, list[str]] = {}
    for film in films:
        if film.isdecimal():
            numbers.setdefault(int(film), []).append(film)
    return {number: found[0] for number, found in numbers.items() if len(found) == 1}


def _with_images(path: Path | str) -> list[Path | str]:
    """Returns the folders `images` of a film's folder, or of a folder of such; the path itself if there are none."""
    folder = Path(path)
    if not folder.is_dir():
        return [path]
    found = [inner for pattern in IMAGES for place in (pattern, f"*/{pattern}") for inner in folder.glob(place)]
    return sorted(inner for inner in found if inner.is_dir() and not is_system_name(inner.parent.name)) or [path]
