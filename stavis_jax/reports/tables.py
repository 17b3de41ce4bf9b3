"""Tables of scores, independent of the format they are printed in."""

import dataclasses
import itertools
import math

NO_VALUE = "–"
OURS = "ours"  # group of the rows that are the user's own results


class Math(str):
    """A name in LaTeX, such as $S_{1}^{av}$. Each format prints it in its own way."""


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        spec: format specification of its numbers, such as ".4f".
        better: "higher" or "lower", or "" for columns without a best value.
        group: heading over the column. Columns of a group stand together.
        is_text: aligns the column to the left.
    """

    name: str
    spec: str = ""
    better: str = ""
    group: str = ""
    is_text: bool = False

    @property
    def arrow(self) -> str:
        return {"higher": "↑", "lower": "↓"}.get(self.better, "")

    def text(self, value: float | str | None) -> str:
        """Returns a value as it is printed, a dash for NaN and None."""
        if value is None or value != value:
            return NO_VALUE
        return value if isinstance(value, str) else format(value, self.spec)


@dataclasses.dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        value: NaN where it is undefined, None where there is nothing.
        interval: ends of its 95% interval, None without one.
        note: text after the value.
    """

    value: float | str | None
    interval: tuple[float, float] | None = None
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        group: heading over the row. Rows of a group stand together.
        is_reference: not a model, such as human observers. It is never the best.
    """

    name: str
    cells: tuple[Cell, ...]
    group: str = ""
    is_reference: bool = False


@dataclasses.dataclass(frozen=True)
class PrintedCell:
    """A cell as text. `is_best`: it is the best of its column; equal texts are equally good."""

    text: str
    is_best: bool
    interval: tuple[str, str] | None
    note: str
    value: float | str | None


@dataclasses.dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        heading: heading of the column of row names.
        notes: lines under the table.
        marks_best: whether rows compete for the best value of a column.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    heading: str = "method"
    marks_best: bool = True

    def column_groups(self) -> list[tuple[str, int]]:
        """Returns (heading, number of columns) of each group of columns, nothing if there is only one group."""
        groups = [(name, len(list(of))) for name, of in itertools.groupby(self.columns, lambda column: column.group)]
        return groups if len(groups) > 1 else []

    def group_starts(self) -> list[int]:
        """Returns the index of the first column of each group, and the number of columns at the end."""
        return list(itertools.accumulate((count for _, count in self.column_groups()), initial=0))

    def best(self) -> list[str | None]:
        """Returns the best value of each column as text, None where there is nothing to choose from."""
        found = []
        for index, column in enumerate(self.columns):
            cells = [row.cells[index].value for row in self.rows if not row.is_reference]
            values = [value for value in cells if isinstance(value, float) and not math.isnan(value)]
            pick = min if column.better == "lower" else max
            has_best = self.marks_best and column.better and len(values) > 1
            found.append(column.text(pick(values)) if has_best else None)
        return found

    def bodies(self) -> list[tuple[str, list[tuple[Row, list[PrintedCell]]]]]:
        """Returns the rows of each group with their printed cells."""
        best = self.best()
        printed = [(row, self._printed(row, best)) for row in self.rows]
        return [(group, list(rows)) for group, rows in itertools.groupby(printed, lambda pair: pair[0].group)]

    def _printed(self, row: Row, best: list[str | None]) -> list[PrintedCell]:
        cells = []
        for cell, column, of_column in zip(row.cells, self.columns, best, strict=True):
            text = column.text(cell.value)
            ends = None if cell.interval is None else (column.text(cell.interval[0]), column.text(cell.interval[1]))
            cells.append(PrintedCell(text, text == of_column and not row.is_reference, ends, cell.note, cell.value))
        return cells
