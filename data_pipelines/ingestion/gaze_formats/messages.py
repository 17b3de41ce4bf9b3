"""Understands what experiments write into a recording: which film is shown, and when it starts and ends."""

import re

from data_pipelines.ingestion.film_names import OR
from data_pipelines.raw.name_forms import FILM_SUFFIXES

_FILM = re.compile(rf"[^\s\"'=,;|]+(?:{'|'.join(map(re.escape, FILM_SUFFIXES))})(?![\w.])", re.IGNORECASE)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
SHOWN = {"video", "movie", "film", "clip", "stimulus", "stim", "playback", "media"}
_STARTS = {"start", "starts", "started", "onset", "begin", "begins", "on", "play", "playing"}
_ENDS = {"end", "ends", "ended", "offset", "stop", "stops", "stopped", "off", "finished", "terminates", "terminated"}
_JOINED = re.compile(
    rf"\b({'|'.join(SHOWN | {'trial', 'display', 'start', 'begin', 'play', 'end', 'stop'})})"
    rf"({'|'.join(_STARTS | _ENDS | SHOWN | {'trial'})})\b"
)
_NO_NAMES = SHOWN | _STARTS | _ENDS | {"trial", "trialid", "id", "name", "file", "display", "synctime"}
_LONGEST = 6  # words; a longer message is a sentence, or a list of settings


def film_in(text: str) -> str:
    """Returns the first file name of a film in a message, with its path; empty if there is none."""
    found = _FILM.search(text)
    return found[0] if found else ""


def film_before(text: str) -> str:
    """Returns the start of a text up to the suffix of a film, which may contain blanks; empty if there is none."""
    found = _FILM.search(text)
    return text[: found.end()].strip() if found else ""


def name_in(text: str) -> str:
    """Returns the name in a message, which may have blanks and no suffix: `VIDEO_START my film` -> my film.

    Numbers and the words of `starts_film` and `ends_film` around it are no part of it; empty if nothing is left.
    """
    tokens = text.split()
    while tokens and _says_nothing(tokens[0]):
        del tokens[0]
    while tokens and _says_nothing(tokens[-1]):
        del tokens[-1]
    return " ".join(tokens)


def names_in(text: str) -> str:
    """Returns the names that a message may give a film, with OR between them; empty if there is none."""
    return OR.join(dict.fromkeys(filter(None, (name_in(text), film_in(text)))))


def is_other_film(names: str, shown: str) -> bool:
    """Returns whether names of `names_in` are of another film than `shown`: `one.mp4 frame 3` is about one.mp4."""
    name, other = (film_in(each.split(OR)[-1]) or each for each in (names, shown))
    return name != other


def starts_film(text: str) -> bool:
    """Returns whether a message says that a film starts: VIDEO_START, movie_onset one, Stimulus on, play one.mp4."""
    return _says(text, _STARTS) and not _says(text, _ENDS)


def ends_film(text: str) -> bool:
    """Returns whether a message says that a film ends: VIDEO_END, Video_terminates, movie_offset."""
    return _says(text, _ENDS)


def starts_display(text: str) -> bool:
    """Returns whether a message says that something appears: SYNCTIME, DISPLAY ON or display_onset."""
    words = words_of(text)
    return words[:1] == ["synctime"] or (words[:1] == ["display"] and bool(_STARTS & set(words[1:2])))


def starts_trial(text: str) -> bool:
    """Returns whether a message says that a trial starts: TRIALID 3, trial start or start_trial one."""
    words = words_of(text)
    return words[:1] == ["trialid"] or _says_of_trial(words, {"id", "start", "begin", "onset"})


def ends_trial(text: str) -> bool:
    """Returns whether a message says that a trial ends: TRIAL_RESULT 0, TRIAL OK or end_trial."""
    return _says_of_trial(words_of(text), {"result", "ok", "end", "stop", "offset"})


def _says_of_trial(words: list[str], what: set[str]) -> bool:
    if words[:1] == ["trial"]:
        return bool(what & set(words))
    return words[1:2] == ["trial"] and words[0] in what


def words_of(text: str) -> list[str]:
    """Returns the words of a message in small letters, without film names. VideoStart and VIDEOSTART have two."""
    words = " ".join(_WORD.findall(_FILM.sub(" ", text))).lower()
    return _JOINED.sub(r"\1 \2", words).split()


def _says(text: str, what: set[str]) -> bool:
    words = words_of(text)
    is_film = bool(film_in(text)) or bool(SHOWN & set(words))
    return len(words) <= _LONGEST and is_film and bool(what & set(words))


def _says_nothing(token: str) -> bool:
    """Returns whether a part of a message is no name: 3, VIDEO_1_ONSET, trial. `clip_2` may be one."""
    words = set(words_of(token))
    if _FILM.search(token) or not words <= _NO_NAMES or re.search(r"[^\W\d_]", _WORD.sub("", token)):
        return False
    return not words or not re.search(r"\d", token) or bool(words & (_STARTS | _ENDS))
