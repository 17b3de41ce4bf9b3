"""Gaze tables: text files with a header and one gaze sample or fixation a line -> the gaze of each film.

Separated by comma, semicolon or tab; with the latter two, a comma may be the decimal point.
"""

import csv
import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from data_pipelines.runtime.errors import UserError

SUFFIXES = (".csv", ".tsv", ".txt")
COLUMNS = ("video", "observer", "time", "time_ms", "frame", "x", "y", "duration", "duration_ms", "valid")
_SECONDS = {"time": 1.0, "time_ms": 1e-3, "duration": 1.0, "duration_ms": 1e-3}  # in one unit of the column
_NO_DATA = {"", ".", "-", "nan", "na", "n/a", "none", "null"}
_VALID = {
    "1": True,
    "true": True,
    "yes": True,
    "valid": True,
    "0": False,
    "false": False,
    "no": False,
    "invalid": False,
}


@dataclass(frozen=True)
class GazeTable:
    """Gaze of one film out of one file: float64 [n] each.

    starts: seconds since the film's first frame, or frame numbers from 1 if `counts_frames`. durations: seconds, 0 for
    a sample. x, y: in the file's unit, from the upper left. observer: whose each is, int [n], an index of `observers`;
    a name is empty where the file does not tell.
    """

    starts: np.ndarray
    durations: np.ndarray
    x: np.ndarray
    y: np.ndarray
    counts_frames: bool
    observer: np.ndarray
    observers: tuple[str, ...]


@dataclass
class GazeTables:
    """What all files hold: video -> its gaze, a part for each file, and how many rows were left out.

    num_missing: rows without a time or a position. num_invalid: rows whose column `valid` says no.
    """

    gaze: dict[str, list[GazeTable]] = field(default_factory=dict)
    num_rows: int = 0
    num_missing: int = 0
    num_invalid: int = 0


def gaze_files(paths: Sequence[Path | str]) -> list[tuple[Path, str]]:
    """(file, name of its film if no column tells it) of all files given, or found in the folders given.

    A file is named after its film; one in a folder within a folder given, after an observer, and its folder after the
    film. Raises UserError if a path is missing or no file is found.
    """
    files = []
    for path in map(Path, paths):
        if not path.exists():
            raise UserError(f"{path}: no such file or folder. Give tables of gaze, or folders of them.")
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in found:
            hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
            if file == path or (file.is_file() and not hidden and file.suffix.lower() in SUFFIXES):
                files.append((file, file.stem if file == path or file.parent == path else file.parent.name))
    if not files:
        raise UserError(f"{paths[0]}: holds no {', '.join(SUFFIXES)} file. Give tables of gaze.")
    return list(dict(files).items())


def read_gaze(paths: Sequence[Path | str], columns: Mapping[str, str] | None = None) -> GazeTables:
    """Reads all tables.

    `columns`: our name (one of COLUMNS) -> the files' own, where they differ; capitals do not count. Needed are x, y
    and one of time (s), time_ms and frame (from 1), the first of these that is there; all others may be absent.
    A row at exactly (0, 0) counts as one without position: trackers write this for a lost eye.
    Raises UserError, which names the file and the line, for what cannot be read.
    """
    columns = dict(columns or {})
    for name in columns:
        if name not in COLUMNS:
            raise UserError(f"--columns {name}: is not known. Choose from {', '.join(COLUMNS)}.")
    tables = GazeTables()
    for path, film in gaze_files(paths):
        for video, gaze in _read_file(path, film, columns, tables).items():
            tables.gaze.setdefault(video, []).append(gaze)
    return tables


def _read_file(path: Path, film: str, columns: Mapping[str, str], tables: GazeTables) -> dict[str, GazeTable]:
    rows = _rows(path)
    _, header = next(rows, (0, None))
    if header is None:
        raise UserError(f"{path}: is empty. Give a table with a header line.")
    table = _Table(path, header, columns)
    values: dict[str, tuple[array, array, dict[str, int]]] = {}
    for line, row in rows:
        tables.num_rows += 1
        start, duration, x, y, valid = table.numbers(line, row)
        if not valid:
            tables.num_invalid += 1
        elif math.isnan(start + duration + x + y) or x == y == 0:
            tables.num_missing += 1
        else:
            video = table.text(row, "video") or film
            numbers, whose, observers = values.setdefault(video, (array("d"), array("l"), {}))
            numbers.extend((start, duration, x, y))
            name = table.text(row, "observer") or (path.stem if film != path.stem else "")
            whose.append(observers.setdefault(name, len(observers)))
    return {
        video: GazeTable(*np.array(numbers).reshape(-1, 4).T, table.clock == "frame", np.array(whose), tuple(observers))
        for video, (numbers, whose, observers) in values.items()
    }


class _Table:
    """The header of one file: where its columns are and how they are read."""

    def __init__(self, path: Path, header: list[str], columns: Mapping[str, str]):
        self.path, self.width = path, len(header)
        titles = [title.strip().casefold() for title in header]
        self.places = {}
        for name in COLUMNS:
            title = columns.get(name, name).strip().casefold()
            if titles.count(title) > 1:
                raise UserError(f"{path}: has two columns {title!r}. Rename or remove one.")
            if title in titles:
                self.places[name] = titles.index(title)
            elif name in columns:
                raise UserError(f"{path}: has no column {columns[name]!r}. It has {', '.join(header)}.")
        for needed in (("x",), ("y",), ("time", "time_ms", "frame")):
            if not self.places.keys() & set(needed):
                raise UserError(
                    f"{path}: has no column {' or '.join(needed)}. It has {', '.join(header)}; "
                    f"--columns {needed[0]}=NAME tells another name."
                )
        self.clock = next(name for name in ("time", "time_ms", "frame") if name in self.places)
        self.length = next((name for name in ("duration", "duration_ms") if name in self.places), None)

    def text(self, row: list[str], name: str) -> str:
        return row[self.places[name]].strip() if name in self.places else ""

    def numbers(self, line: int, row: list[str]) -> tuple[float, float, float, float, bool]:
        """Start, duration, x, y (NaN where there is none), and whether the row is valid."""
        if len(row) < self.width or any(row[self.width :]):
            raise self._error(line, f"has {len(row)} fields where the header has {self.width}")
        start = self._number(line, row, self.clock)
        if self.clock == "frame" and start < 1:
            raise self._error(line, "frames are numbered from 1")
        if self.clock == "frame" and start % 1 > 0:
            raise self._error(line, f"frame {start:g} is not a whole number")
        duration = self._number(line, row, self.length) if self.length else 0.0
        if duration < 0:
            raise self._error(line, f"{self.length} {duration:g} is negative")
        valid = self.text(row, "valid").casefold() if "valid" in self.places else "1"
        if valid not in _VALID:
            raise self._error(line, f"valid: {valid!r} is neither 1 nor 0")
        return start, duration, self._number(line, row, "x"), self._number(line, row, "y"), _VALID[valid]

    def _number(self, line: int, row: list[str], name: str) -> float:
        text = row[self.places[name]].strip()
        if text.casefold() in _NO_DATA:
            return math.nan
        try:
            number = float(text.replace(",", "."))
        except ValueError:
            raise self._error(line, f"{name}: {text[:40]!r} is not a number") from None
        if math.isinf(number):
            raise self._error(line, f"{name}: {text[:40]!r} is not a finite number")
        return number * _SECONDS.get(name, 1.0)

    def _error(self, line: int, fault: str) -> UserError:
        return UserError(f"{self.path}, line {line}: {fault}. Mend or remove the line.")


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line number, fields) of each line that is not empty; the header first."""
    if not path.is_file():
        raise UserError(f"{path}: is no file. Give tables of gaze, or folders of them.")
    with path.open("rb") as file:
        encoding = "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"  # as some trackers export
    try:
        with path.open(encoding=encoding, newline="") as file:
            header = next((line for line in file if line.strip()), "")
            file.seek(0)
            delimiter = max(",;\t", key=header.count)
            reader = csv.reader(file, delimiter=delimiter)
            try:
                for row in reader:
                    if any(map(str.strip, row)):
                        yield reader.line_num, row
            except csv.Error as error:
                raise UserError(f"{path}, line {reader.line_num}: {error}. Mend or remove the line.") from None
    except UnicodeError:
        raise UserError(f"{path}: is not text in UTF-8. Export it as CSV in UTF-8.") from None
