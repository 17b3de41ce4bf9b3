"""Finds the columns of a delimited text file by their titles, and reads their values."""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from data_pipelines.ingestion.delimited_text import rows_of
from data_pipelines.ingestion.number_style import NO_DATA, DoubtfulNumberError, find_decimals, to_number
from data_pipelines.runtime.errors import UserError

_TRUE = {"1", "true", "t", "yes", "y", "valid", "wahr", "ja", "vrai", "oui", "si", "sí", "sì", "vero", "verdadero"}
_FALSE = {"0", "false", "f", "no", "n", "invalid", "falsch", "nein", "faux", "non", "falso"}


class TextTable:
    """A table with a header line.

    Args:
      path: the file.
      titles: our name of a column -> the titles that it may have, of which the first present counts. Case is ignored.
      clocks: our names of the columns with times, which never go back.
      positions: our names of the columns in pixels or fractions.
      others: our names of the other columns with numbers.
      comment: start of the lines before the header that are left out.
      plain: returns a title of the file as it is compared with `titles`.

    Attributes:
      header: the titles of the file.
      places: our name -> its place in a row, of the columns present.

    Raises:
      UserError: the file cannot be read, has a title of `titles` twice, or its numbers are in doubt.
    """

    def __init__(
        self,
        path: Path,
        titles: Mapping[str, Sequence[str]],
        clocks: Sequence[str] = (),
        positions: Sequence[str] = (),
        others: Sequence[str] = (),
        comment: str = "",
        plain: Callable[[str], str] = lambda title: title.strip().casefold(),
    ):
        self.path, self._titles, self._comment = path, titles, comment
        _, self.header = next(rows_of(path, comment), (0, []))
        if not self.header:
            raise UserError(f"{path}: is empty. Give a table with a header line.")
        exact, present = [title.strip().casefold() for title in self.header], list(map(plain, self.header))
        self.places: dict[str, int] = {}
        for name, options in titles.items():
            title = next((title for title in map(str.casefold, options) if title in exact or title in present), None)
            if title is not None:
                among = exact if title in exact else present
                if among.count(title) > 1:
                    raise UserError(f"{path}: has two columns {title!r}. Rename or remove one.")
                self.places[name] = among.index(title)
        clock_places, position_places = (
            {self.places[name] for name in names if name in self.places} for names in (clocks, positions)
        )
        places = {self.places[name] for name in (*clocks, *positions, *others) if name in self.places}
        try:
            self._decimals = find_decimals(self.rows(), sorted(places), clock_places, position_places)
        except DoubtfulNumberError as error:
            raise UserError(
                f"{path}, line {error.line}: {self.header[error.place]}: {error}. "
                "Write numbers without separators between thousands, or all with the same number of decimals."
            ) from None

    def __contains__(self, name: str) -> bool:
        return name in self.places

    def require(self, *names: str) -> None:
        """Raises UserError, with the titles that it may have, if the file lacks one of these columns, by our names."""
        for name in names:
            if name not in self:
                wanted, held = " or ".join(self._titles[name]), ", ".join(self.header)[:200]
                raise UserError(f"{self.path}: has no column {wanted}. It has {held}. Export that column too.")

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yields the line number and the fields of each line after the header."""
        return islice(rows_of(self.path, self._comment), 1, None)

    def text(self, row: list[str], name: str) -> str:
        """Returns a value, empty if the file has no such column or the row is too short."""
        place = self.places.get(name)
        return row[place].strip() if place is not None and place < len(row) else ""

    def number(self, line: int, row: list[str], name: str) -> float:
        """Returns a value, NaN if it is missing. Raises UserError if it is not a finite number."""
        text = self.text(row, name)
        if text.casefold() in NO_DATA:
            return math.nan
        try:
            number = to_number(text, self._decimals[self.places[name]])
        except ValueError:
            raise self.error(line, f"{name}: {text[:40]!r} is not a number") from None
        if math.isinf(number):
            raise self.error(line, f"{name}: {text[:40]!r} is not a finite number")
        return number

    def duration(self, line: int, row: list[str], name: str) -> float:
        """Returns a duration, 0 if the file has no such column. Raises UserError as `number`, and if it is negative."""
        duration = self.number(line, row, name) if name in self else 0.0
        if duration < 0:
            raise self.error(line, f"{name} {duration:g} is negative")
        return duration

    def truth(self, line: int, row: list[str], name: str) -> bool | None:
        """Returns a value such as 1, 0.0, TRUE or WAHR, None if it is missing. Raises UserError if it is another."""
        text = self.text(row, name).casefold()
        if text in NO_DATA:
            return None
        with contextlib.suppress(ValueError):
            text = f"{float(text.replace(',', '.')):g}"
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        raise self.error(line, f"{name}: {text[:40]!r} is neither 1 nor 0")

    def error(self, line: int, fault: str) -> UserError:
        """Returns the error of a line, with the advice to correct or remove it."""
        return UserError(f"{self.path}, line {line}: {fault}. Correct or remove the line.")
