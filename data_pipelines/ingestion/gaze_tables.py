"""Reads gaze tables: text files with a header and one gaze sample or fixation per line.

Fields are separated by comma, semicolon or tab. With the latter two, a comma may be the decimal point.
"""

import csv
import math
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from data_pipelines.ingestion.gaze import GazeTable, GazeTables
from data_pipelines.runtime.errors import UserError

SUFFIXES = (".csv", ".tsv", ".txt")
COLUMNS = ("video", "observer", "time", "time_ms", "frame", "x", "y", "duration", "duration_ms", "valid")
_SECONDS = {"time": 1.0, "time_ms": 1e-3, "duration": 1.0, "duration_ms": 1e-3}  # in one unit of the column
_NO_DATA = {"", ".", "-", "nan", "na", "n/a", "none", "null"}
_VALID = dict.fromkeys(("1", "true", "yes", "valid"), True) | dict.fromkeys(("0", "false", "no", "invalid"), False)


def checked_columns(columns: Mapping[str, str] | None) -> dict[str, str]:
    """Returns our names, of COLUMNS -> a file's names. Raises UserError if one of ours is not known."""
    for name in columns or {}:
        if name not in COLUMNS:
            raise UserError(f"--columns {name}: is not known. Choose from {', '.join(COLUMNS)}.")
    return dict(columns or {})


def read_table(path: Path, film: str, columns: Mapping[str, str], tables: GazeTables) -> dict[str, GazeTable]:
    """Returns the gaze of each video of a table, and counts its rows in `tables`. See `gaze_files.read_gaze`."""
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
    gaze = {}
    for video, (numbers, whose, observers) in values.items():
        starts, durations, xs, ys = np.array(numbers).reshape(-1, 4).T
        counts_frames = table.clock == "frame"
        gaze[video] = GazeTable(starts, durations, xs, ys, counts_frames, np.array(whose), tuple(observers))
    return gaze


class _Table:
    """The header of one file: finds the columns and reads their values."""

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
                    f"{path}: has no column {' or '.join(needed)}. It has {', '.join(header)}. "
                    f"Give its name as --columns {needed[0]}=NAME."
                )
        self.clock = next(name for name in ("time", "time_ms", "frame") if name in self.places)
        self.length = next((name for name in ("duration", "duration_ms") if name in self.places), None)

    def text(self, row: list[str], name: str) -> str:
        return row[self.places[name]].strip() if name in self.places else ""

    def numbers(self, line: int, row: list[str]) -> tuple[float, float, float, float, bool]:
        """Returns start, duration, x, y (NaN if missing) and whether the row is valid."""
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
        return UserError(f"{self.path}, line {line}: {fault}. Correct or remove the line.")


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yields the line number and the fields of each line that is not empty, the header first."""
    if not path.is_file():
        raise UserError(f"{path}: is not a file. Give tables of gaze, or folders of them.")
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
                raise UserError(f"{path}, line {reader.line_num}: {error}. Correct or remove the line.") from None
    except UnicodeError:
        raise UserError(f"{path}: is not text in UTF-8. Export it as CSV in UTF-8.") from None
