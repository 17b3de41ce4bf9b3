"""Finds names that differ in form only: capitals, Unicode forms, quotes, spaces, or the suffix of a film.

A number may have more or fewer zeros before it: DHF1K calls a film 601.AVI and its maps 0601.
"""

import re
import unicodedata
from collections.abc import Iterable

FILM_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv"),
    *(".ogv", ".3gp", ".ts", ".mts", ".m2ts", ".vob", ".asf"),
    *(".3g2", ".divx", ".dv", ".f4v", ".m1v", ".m2v", ".mod", ".mpe", ".mpv", ".mxf", ".ogm", ".qt", ".rm", ".rmvb"),
    *(".264", ".265", ".h264", ".h265", ".hevc", ".ivf", ".y4m"),
)
_SUFFIX = re.compile(rf"(?<=.)(?:{'|'.join(map(re.escape, (*FILM_SUFFIXES, '.gif')))})$")


class Names:
    """Names of which each is found by any form of it that no other one has."""

    def __init__(self, names: Iterable[str]):
        self._names = set(names)
        self._by_form: dict[str, list[str]] = {}
        for name in sorted(self._names):
            self._by_form.setdefault(_form(name), []).append(name)

    def find(self, name: str) -> str | None:
        """Returns the name that `name` is, or None: the same one, or the only one that differs in form."""
        same = self._by_form.get(_form(name), [])
        return name if name in self._names else same[0] if len(same) == 1 else None


def _form(name: str) -> str:
    plain = " ".join(unicodedata.normalize("NFC", name).strip("\"'").split()).casefold()
    plain = _SUFFIX.sub("", plain)
    return plain.lstrip("0") if plain.isdecimal() else plain
