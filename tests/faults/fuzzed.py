"""Keeps the latest results of fuzz_files.py for each kind, and writes them into docs/reliability.md as a section."""

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "fuzzed.json"
PAGE = HERE.parents[1] / "docs" / "reliability.md"
HEADING, NEXT = "## Random damage", "## Bad inputs"
COLUMNS = ("kind", "files", "read", "refused", "tracebacks", "hangs", "slowest, s", "most memory, MiB", "commit")


@dataclasses.dataclass(frozen=True)
class Row:
    """What became of the damaged files of one kind.

    Attributes:
      files: how many there were.
      read: read well, for the damage is not in what the reader needs.
      refused: refused with one line.
      tracebacks, hangs: any other error; files that took longer than is allowed.
      slowest_s: time of the slowest file.
      mib: the largest memory on top that one file has taken.
      commit: what was tested.
    """

    kind: str
    files: int
    read: int
    refused: int
    tracebacks: int
    hangs: int
    slowest_s: float
    mib: float
    commit: str

    def line(self) -> str:
        """Returns the row of the table."""
        counts = (self.kind, self.files, self.read, self.refused, self.tracebacks, self.hangs)
        return "| " + " | ".join(map(str, [*counts, f"{self.slowest_s:.2f}", f"{self.mib:.0f}", self.commit])) + " |"


def table_head() -> list[str]:
    return ["| " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * (len(COLUMNS) - 2) + "---|"]


def save(row: Row, kinds: Iterable[str], command: str, machine: str) -> None:
    """Stores the results of one of the kinds in place of its earlier ones, and puts all into the page."""
    latest = {one.kind: one for one in [*(stored()["rows"] if RESULTS.exists() else ()), row]}
    kept = [vars(latest[kind]) for kind in kinds if kind in latest]
    content = {"command": command, "machine": machine, "rows": kept}
    RESULTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(put_into(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def stored() -> dict[str, Any]:
    """Returns the stored results. Their rows are `Row`."""
    content = json.loads(RESULTS.read_text(encoding="utf-8"))
    return content | {"rows": [Row(**row) for row in content["rows"]]}


def put_into(page: str) -> str:
    """Returns a page with the section of the stored results, before the one of bad inputs."""
    before, _, rest = page.partition(NEXT)
    return before.partition(HEADING)[0] + "\n".join(_section()) + "\n\n" + NEXT + rest


def _section() -> list[str]:
    results = stored()
    rows: list[Row] = results["rows"]
    total = Row(
        "**all**",
        *(sum(getattr(row, name) for row in rows) for name in ("files", "read", "refused", "tracebacks", "hangs")),
        max(row.slowest_s for row in rows),
        max(row.mib for row in rows),
        commit="",
    )
    return [
        HEADING,
        "",
        "Small files with random damage: bits, numbers on boundaries, words, parts that are cut out or repeated,",
        "and other values in JSON. A file is *read* if the damage is not in what the reader needs, otherwise",
        "*refused* in one line. Tracebacks are those of errors that a reader raises and, unless the last column",
        "says otherwise, of errors that a library prints from its threads. The tests repeat a share of it. The",
        "latest results of each kind:",
        "",
        "```",
        results["command"],
        "```",
        "",
        f"{results['machine']}.",
        "",
        *table_head(),
        *(row.line() for row in [*rows, total]),
    ]
