"""A user's films: which files they are, and by which names the raw layout and the gaze tables know them."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from data_pipelines.runtime.errors import UserError

SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv"),
    *(".ogv", ".3gp", ".ts", ".mts", ".m2ts", ".vob", ".asf"),
)
_UNSAFE = re.compile(r'[\s\x00-\x1f\x7f/\\:*?"<>|]+')  # white space ends a name in fold_lists; others do in some shells


def films_by_name(paths: Sequence[Path | str]) -> dict[str, Path]:
    """Name in the raw layout -> file, by name, of the files given and the films directly in the folders given.

    Raises UserError if a path is missing, a folder holds no film or two films have the same name.
    """
    films: dict[str, Path] = {}
    for path in map(Path, paths):
        if not path.exists():
            raise UserError(f"{path}: no such file or folder. Give films, or folders of films.")
        found = [path]
        if path.is_dir():
            found = [file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and file.name[0] != "."]
            if not found:
                raise UserError(f"{path}: holds no film ({' '.join(SUFFIXES)}). Give films, or folders of films.")
        for file in found:
            known = films.setdefault(safe_name(file.stem), file)
            if known.resolve() != file.resolve():
                raise UserError(f"{file}: has the same name as {known}, less its ending or blanks. Rename one of them.")
    return dict(sorted(films.items()))


def safe_name(stem: str) -> str:
    """A film's name as a folder and in a list: `a film` becomes `a_film`; no leading dot."""
    encodable = unicodedata.normalize("NFC", stem).encode("utf-8", "replace").decode()
    return _UNSAFE.sub("_", encodable.lstrip(".").strip()) or "_"


def match_names(names: Iterable[str], films: Mapping[str, Path]) -> dict[str, str]:
    """Name as a table has it -> name in the raw layout, for those that are a film's: its file's name, with or without
    the ending, or its name in the raw layout.
    """
    known = {}
    for film, path in films.items():
        for form in (path.name, path.stem, film):
            known.setdefault(unicodedata.normalize("NFC", form).strip(), film)
    matches = {name: known.get(unicodedata.normalize("NFC", name).strip()) for name in names}
    return {name: film for name, film in matches.items() if film is not None}
