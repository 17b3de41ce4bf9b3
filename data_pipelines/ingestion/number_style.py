"""Reads numbers with a decimal point or comma, and with or without separators between thousands.

1,000 is a thousand to some and one to others. The numbers around it tell: a column is read whole before any of its
numbers is understood. If they do not tell, the number is refused.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

NO_DATA = {"", ".", "-", "--", "nan", "na", "n/a", "<na>", "#n/a", "#nv", "none", "null"}  # Excel: #N/A, #NV
LARGEST_POSITION = 20_000  # pixels; no screen is larger
_SPACES = " \u00a0\u2007\u2009\u202f'\u2019"
_EITHER = re.compile(r"[+-]?([1-9]\d{0,2})[.,]\d{3}")
_GROUPED = {
    decimal: re.compile(rf"([+-]?\d{{1,3}}(?P<group>[{group}{_SPACES}])\d{{3}}(?:(?P=group)\d{{3}})*)(?:{point}(\d*))?")
    for decimal, group, point in ((".", ",", r"\."), (",", r"\.", ","))
}


class DoubtfulNumberError(ValueError):
    """A number that may mean two things. Attributes: place (column), line, text."""

    def __init__(self, place: int, line: int, text: str):
        whole, thousands = re.split("[.,]", text)
        super().__init__(f"{text!r} may be {whole} or {whole}{thousands}")
        self.place, self.line = place, line


def to_number(text: str, decimal: str) -> float:
    """Returns the number of a text without white space around it. `decimal`: "." or ",". Raises ValueError."""
    if "_" in text:  # Python's own notation
        raise ValueError(text)
    if decimal == ".":
        try:
            return float(text)
        except ValueError:
            pass
    text = text.replace("\u2212", "-")
    if grouped := _GROUPED[decimal].fullmatch(text):
        return float(f"{grouped[1].replace(grouped['group'], '')}.{grouped[3] or ''}")
    if decimal == ",":
        if "." in text:
            raise ValueError(text)
        text = text.replace(",", ".")
    return float(text)


@dataclass
class _Column:
    """What the numbers of a column tell. `doubtful`: separator -> place, line and text of the first such number."""

    is_position: bool
    is_clock: bool
    decimal: str = ""
    doubtful: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    has_hundreds: bool = False  # whole numbers from 1 to 999
    has_thousands: bool = False  # whole numbers from 1000, without a separator

    def see(self, place: int, line: int, text: str) -> None:
        num_points, num_commas = text.count("."), text.count(",")
        if not num_points + num_commas:
            if text.isdecimal():
                number = int(text[:9])
                self.has_hundreds |= 0 < number < 1000
                self.has_thousands |= number >= 1000
        elif num_points and num_commas:
            self.decimal = max(".,", key=text.rfind)
        elif num_points + num_commas > 1:
            self.decimal = "," if num_points else "."
        else:
            separator = "." if num_points else ","
            either = _EITHER.fullmatch(text)
            if either is None or (self.is_position and int(either[1]) * 1000 >= LARGEST_POSITION):
                self.decimal = separator
            else:
                self.doubtful.setdefault(separator, (place, line, text))

    def decided(self, others: set[str]) -> str:
        """Returns the decimal separator. `others`: those of the other columns. Raises DoubtfulNumberError."""
        if self.decimal or not self.doubtful:
            return self.decimal or "."
        (separator, first), *more = self.doubtful.items()
        grouped = self.has_hundreds and not self.has_thousands  # as in 800, 900, 1,000
        if len(others) == 1 and not more:
            (decimal,) = others
            if not (self.has_thousands if separator != decimal else self.is_clock and grouped):
                return decimal
        elif separator == "." and not more and not grouped:
            return "."
        raise DoubtfulNumberError(*first)


def find_decimals(
    rows: Iterable[tuple[int, list[str]]], places: Collection[int], clocks: Collection[int], positions: Collection[int]
) -> Mapping[int, str]:
    """Returns column -> decimal separator.

    Args:
      rows: line number and fields of each line but the header.
      places: columns with numbers.
      clocks: those of them that never go back.
      positions: those of them in pixels, or fractions of a picture.

    Raises:
      DoubtfulNumberError: the separators of a column are in doubt.
    """
    columns = {place: _Column(place in positions, place in clocks) for place in places}
    unknown = dict(columns)
    for line, row in rows:
        for place, column in list(unknown.items()):
            text = row[place].strip() if place < len(row) else ""
            if text.casefold() not in NO_DATA:
                column.see(place, line, text)
                if column.decimal:
                    del unknown[place]
        if not unknown:
            break
    proven = {column.decimal for column in columns.values()} - {""}
    return {place: column.decided(proven) for place, column in columns.items()}
