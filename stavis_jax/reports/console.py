"""Prints tables on the terminal."""

import textwrap

from rich import box
from rich import table as rich_table
from rich.console import Console
from rich.text import Text

from data_pipelines.runtime.errors import one_line
from stavis_jax.reports.tables import NO_VALUE, Column, Table

UNDEFINED = "n/a"
NAME_WIDTH = 11  # least width of the names, in characters
WIDE = 100  # characters; on narrower terminals, long names break at blanks and hyphens


def print_table(table: Table, console: Console | None = None) -> None:
    """Prints a table and its notes. Intervals are printed below their row."""
    console = console or Console()
    # Without a frame, eight metrics and a name fit on 80 columns.
    printed = rich_table.Table(
        title=Text(one_line(table.title), "table.title"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    printed.add_column(table.heading, overflow="fold", min_width=NAME_WIDTH)
    for column in table.columns:
        printed.add_column(_heading(column), justify="right", no_wrap=True)
    for group, rows in table.bodies():
        if group:
            printed.add_row(Text(one_line(group), "italic"))
        for row, cells in rows:
            texts = (Text(_text(cell.text), "bold" if cell.is_best else "") for cell in cells)
            name = one_line(row.name)
            if console.width < WIDE:  # rich would break it anywhere
                name = "\n".join(textwrap.wrap(name, NAME_WIDTH, break_long_words=False))
            printed.add_row(Text(name), *texts)  # a name may hold what rich reads as markup
            if any(cell.interval for cell in cells):
                for index, label in enumerate(("  95% from", "  to")):
                    ends = (cell.interval[index] if cell.interval else UNDEFINED for cell in cells)
                    printed.add_row(label, *ends, style="dim")
    console.print(printed)
    for note in table.notes:
        console.print(note, markup=False, highlight=False)


def _heading(column: Column) -> str:
    words = column.name.replace("-others", "-\nothers").replace(" ", "\n")
    return f"{words}\n(lower is\nbetter)" if column.better == "lower" else words


def _text(text: str) -> str:
    return UNDEFINED if text == NO_VALUE else one_line(text)  # not every terminal can print the dash
