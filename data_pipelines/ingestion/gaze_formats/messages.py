"""Understands what experiments write into a recording: which film is shown, and when it starts and ends."""

import re

from data_pipelines.films.paths import FILM_SUFFIXES

_FILM = re.compile(rf"[^\s\"'=,;|]+(?:{'|'.join(map(re.escape, FILM_SUFFIXES))})(?![\w.])", re.IGNORECASE)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
SHOWN = {"video", "movie", "film", "clip", "stimulus", "stim", "playback", "media"}
_STARTS = {"start", "starts", "started", "onset", "begin", "begins", "on", "play", "playing"}
_ENDS = {"end", "ends", "ended", "offset", "stop", "stops", "stopped", "off", "finished", "terminates", "terminated"}
_LONGEST = 6  # words; a longer message is a sentence, or a list of settings


def film_in(text: str) -> str:
    """Returns the first file name of a film in a message, with its path; empty if there is none."""
    found = _FILM.search(text)
    return found[0] if found else ""


def film_before(text: str) -> str:
    """Returns the start of a text up to the suffix of a film, which may contain blanks; empty if there is none."""
    found = _FILM.search(text)
    return text[: found.end()].strip() if found else ""


def starts_film(text: str) -> bool:
    """Returns whether a message says that a film starts: VIDEO_START, movie_onset one.mp4, Stimulus on."""
    return _says(text, _STARTS) and not _says(text, _ENDS)


def ends_film(text: str) -> bool:
    """Returns whether a message says that a film ends: VIDEO_END, Video_terminates, movie_offset."""
    return _says(text, _ENDS)


def starts_display(text: str) -> bool:
    """Returns whether a message says that something appears: SYNCTIME, or DISPLAY ON."""
    words = words_of(text)
    return words[:1] == ["synctime"] or words[:2] == ["display", "on"]


def words_of(text: str) -> list[str]:
    """Returns the words of a message in small letters, without file names of films. `VideoStart` has two."""
    return [word.lower() for word in _WORD.findall(_FILM.sub(" ", text))]


def _says(text: str, what: set[str]) -> bool:
    words = words_of(text)
    return len(words) <= _LONGEST and bool(SHOWN & set(words)) and bool(what & set(words))
