"""A figure as a line of text, as a line of JSON, and as a row of the table.

A figure is a dict: `name`, `value` (a number, or None if it failed), `unit`, `detail` (a dict of more numbers and
words), `error` (one line, or ""). The supervisor adds `section`, `item` and `at`, the seconds since the command began.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Figure = dict[str, Any]
LONGEST_ERROR = 300  # characters
TABLE_DETAILS = ("ms", "share of peak", "GB", "compile s")


def figure(name: str, value: float | None, unit: str = "", error: str = "", **detail: Any) -> Figure:
    """Returns a figure. Underscores in the names of details become blanks."""
    named = {key.replace("_", " "): number for key, number in detail.items()}
    return {"name": name, "value": value, "unit": unit, "detail": named, "error": error}


def failure(name: str, error: BaseException) -> Figure:
    """Returns the figure of a measurement that failed, with the error on one line."""
    return figure(name, None, error=f"{type(error).__name__}: {' '.join(str(error).split())}"[:LONGEST_ERROR])


def line(one: Figure) -> str:
    """Returns a line such as `  12.3 s  jax: training step, visual: 1234 clips/s (ms 25.9)`."""
    start = f"{one.get('at', 0):6.1f} s  {one.get('section', '')}: {one['name']}: "
    if one["error"]:
        return f"{start}FAILED, {one['error']}"
    detail = ", ".join(f"{key} {_short(value)}" for key, value in one["detail"].items())
    return f"{start}{_short(one['value'])} {one['unit']}" + (f" ({detail})" if detail else "")


def table(figures: Iterable[Figure]) -> str:
    """Returns a Markdown table with a row for each figure; those that failed have no value."""
    rows = ["| section | figure | value | " + " | ".join(TABLE_DETAILS) + " |", "|---" * (3 + len(TABLE_DETAILS)) + "|"]
    for one in figures:
        value = "failed" if one["error"] else f"{_short(one['value'])} {one['unit']}"
        details = [_short(one["detail"][key]) if key in one["detail"] else "" for key in TABLE_DETAILS]
        rows.append(f"| {one.get('section', '')} | {one['name']} | {value} | {' | '.join(details)} |")
    return "\n".join(rows)


def read(path: Path) -> list[Figure]:
    """Returns the figures of an earlier run, or none if there is no file. Skips an incomplete line."""
    found = []
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            found.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return found


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"
    return str(value)
