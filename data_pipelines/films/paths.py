"""Finds the films and the pictures that a user names: files, folders and patterns."""

import glob
from collections.abc import Sequence
from pathlib import Path

from data_pipelines.films.frame_folder import PICTURE_SUFFIXES, natural_order, pictures_in
from data_pipelines.raw.name_forms import FILM_SUFFIXES
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.folders import entries, is_clutter


def find_films(paths: Sequence[Path | str]) -> list[Path]:
    """Returns every film of the paths once, in the order of the paths. Opens no film.

    A path is one of these:
      - a file: a film, whatever its name;
      - a folder: the films directly in it, by their suffixes and in natural order, or, if there are none, one film
        whose frames are the pictures in it;
      - a pattern (`*`, `?`, `[...]`; `**` for folders at any depth): the films and folders it matches, in natural
        order, without hidden files; or, if there are none, the pictures it matches, each as a film of its own.

    Raises:
      UserError: a path does not exist or gives no film.
    """
    films: dict[Path, Path] = {}
    for path in paths:
        for film in _films_of(path):
            films.setdefault(film.resolve(), film)  # a film with two names counts once
    return list(films.values())


def find_pictures(paths: Sequence[Path | str]) -> list[Path]:
    """Returns every picture of the paths once, in the order of the paths. Opens none.

    A path is a picture, whatever its name, a folder of pictures, or a pattern that matches pictures or such folders.

    Raises:
      UserError: a path does not exist or gives no picture.
    """
    pictures: dict[Path, Path] = {}
    for path in paths:
        given = [Path(path)] if Path(path).exists() else _matches(path)
        found = [picture for place in given for picture in (pictures_in(place) if place.is_dir() else [place])]
        if not found:
            raise UserError(f"{path}: holds no pictures. Give pictures, folders of them or patterns.")
        for picture in found:
            pictures.setdefault(picture.resolve(), picture)
    return list(pictures.values())


def _films_of(path: Path | str) -> list[Path]:
    given = Path(path)
    if given.is_dir():
        films = _films_in(given)
        if not films:
            raise UserError(
                f"{path}: holds no film and no pictures. Give films, folders of films or of a film's frames."
            )
        return films
    if given.exists():
        return [given]
    matches = _matches(path)
    films = [film for match in matches for film in _films_at(match)]
    films = films or [match for match in matches if match.suffix.lower() in PICTURE_SUFFIXES and match.is_file()]
    if not films:
        raise UserError(f"{path}: matches no film, only {_some(matches)}. Give another pattern, or films by name.")
    return films


def _matches(path: Path | str) -> list[Path]:
    """Returns what a pattern matches, in natural order. Raises UserError if it is none, or matches nothing."""
    given = Path(path)
    if given.is_symlink():
        raise UserError(f"{path}: is a link to nothing. Give films, folders or patterns.")
    if not glob.has_magic(str(path)):
        raise UserError(f"{path}: no such file or folder. Give films, folders or patterns.")
    found = (match for match in map(Path, glob.glob(str(path), recursive=True)) if _is_users(match, given))
    matches = sorted(found, key=natural_order)
    if not matches:
        raise UserError(f"{path}: matches nothing. Give another pattern.")
    return matches


def _is_users(match: Path, pattern: Path) -> bool:
    """Returns whether a match is no system's file, nor in a system's folder that the pattern does not name."""
    return not any(is_clutter(part) and part not in pattern.parts for part in match.parts)


def _films_at(match: Path) -> list[Path]:
    if match.is_dir():
        return _films_in(match)
    return [match] if match.suffix.lower() in FILM_SUFFIXES and match.is_file() else []


def _films_in(folder: Path) -> list[Path]:
    films = [film for file in entries(folder) if not file.is_dir() for film in _films_at(file)]
    return sorted(films, key=natural_order) or ([folder] if pictures_in(folder) else [])


def _some(paths: list[Path]) -> str:
    names = ", ".join(path.name for path in paths[:3])
    return names if len(paths) <= 3 else f"{names} and {len(paths) - 3} more"
