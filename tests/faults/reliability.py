"""What the fault tests did -> docs/reliability.md."""

import collections
from collections.abc import Callable, Iterable, Sequence

import pytest

FAULT, REFUSED = "fault", "refused"  # properties of a test's report
COMMANDS = ("synthesize", "fetch", "ingest", "prepare", "main", "ablate", "evaluate", "convert", "predict")
HEAD = """# Reliability

What was done to the commands, on purpose, and what came of it. This page is made by the tests that do it:

```
python -m pytest tests/faults --reliability docs/reliability.md
```

A fault is *survived* if nothing half-written is left under a final name and the same command, run again where that
makes sense, ends well; anything else is *lost*. Kills come at moments drawn by a fixed seed. What is trusted and what
is not: [SECURITY.md](../SECURITY.md).
"""


class Tally:
    """Notes what one test did. `private`: beginnings of paths that are no one's business."""

    def __init__(self, record: Callable[[str, object], None], private: Sequence[str]):
        self._record, self._private = record, private

    def fault(self, command: str, kind: str, count: int = 1) -> None:
        """Faults injected into a command. To be called before what may fail."""
        self._record(FAULT, [command, kind, count])

    def refused(self, command: str, what: str, line: str) -> None:
        """The line that a bad input got."""
        for path in self._private:
            line = line.replace(path, "")
        self._record(REFUSED, [command, what, line])


def page(reports: Iterable[pytest.TestReport]) -> str:
    """The page, of the reports of all tests."""
    injected, survived = collections.Counter(), collections.Counter()
    refused: dict[str, list[tuple[str, str]]] = collections.defaultdict(list)
    for report in reports:
        if report.when != "call":
            continue
        for name, value in report.user_properties:
            if name == FAULT:
                command, kind, count = value
                injected[kind, command] += count
                survived[kind, command] += count if report.passed else 0
            elif name == REFUSED and report.passed:
                command, what, line = value
                refused[command].append((what, line))
    return "\n".join([HEAD, *_faults(injected, survived), "", *_refused(refused)]) + "\n"


def _faults(injected: collections.Counter, survived: collections.Counter) -> list[str]:
    lines = ["## Faults", "", "| command | fault | injected | survived | lost |", "|---|---|---:|---:|---:|"]
    for kind, command in sorted(injected, key=lambda key: (COMMANDS.index(key[1]), key[0])):
        count, well = injected[kind, command], survived[kind, command]
        lines.append(f"| `{command}` | {kind} | {count} | {well} | {count - well} |")
    total, well = injected.total(), survived.total()
    return [*lines, f"| **all** | | **{total}** | **{well}** | **{total - well}** |"]


def _refused(refused: dict[str, list[tuple[str, str]]]) -> list[str]:
    count = sum(map(len, refused.values()))
    lines = [
        "## Bad inputs",
        "",
        f"{count} files and settings that nobody should trust. Each is refused with the line beside it and an exit "
        "code that is not 0: no traceback, nothing written, no code of the file's run. Folders are left out of the "
        "lines, and long ones are cut.",
    ]
    for command in COMMANDS:
        if rows := refused.get(command):
            lines += ["", f"### {command}", "", "| input | line |", "|---|---|"]
            lines += [f"| {what} | {_cell(line)} |" for what, line in sorted(rows)]
    return lines


def _cell(line: str) -> str:
    shown = line.removeprefix("error: ")
    shown = shown if len(shown) <= 240 else f"{shown[:160]} [...] {shown[-60:]}"
    return shown.translate(str.maketrans({"|": r"\|", "<": "&lt;", ">": "&gt;", "*": r"\*", "`": "'", "_": r"\_"}))
