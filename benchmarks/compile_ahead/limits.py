"""Limits of what compiled programs may need, so that a change that doubles the memory or adds a transpose is noticed.

limits.json holds them by chip, compiler and job. `--set-limits` writes the measures of a run there, with room for small
changes. Limits apply only to the compiler that they were set with, since another one makes other programs.
"""

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.compile_ahead.results import Result

PATH = Path(__file__).with_name("limits.json")
ROOM = {"cycles": 1.1, "temporaries": 1.15, "transposed bytes": 1.05}  # other measures may not grow at all


def measures(result: Result) -> dict[str, int]:
    """Returns what the limits apply to, by name. Sizes are in bytes."""
    transposes, transposed = result["transposes"]
    layouts = result["convolutions"]
    return {
        "cycles": result["cycles"],
        "temporaries": result["temporaries"],
        "transposes": transposes,
        "transposed bytes": transposed,
        "scatters": result["scatters"],
        "collectives": sum(count for count, _ in result["collectives"].values()),
        # Channels before height and width; "0" is the first of one to three axes of space.
        "channels-first 3D convolutions": sum(count for label, count in layouts.items() if label.startswith("bf012")),
    }


def exceeded(results: Iterable[Result], limits: dict[str, Any] | None = None) -> list[str]:
    """Returns a line for each measure over its limit, and for each program with limits that does not compile."""
    limits = json.loads(PATH.read_text(encoding="utf-8")) if limits is None else limits
    lines = []
    for result in results:
        allowed = _of_compiler(limits, result).get(result["job"], {})
        where = f"{result['job']} on {result['chip']}"
        if result["error"]:
            lines += [f"{where}: {result['error']}"] if allowed else []
            continue
        found = measures(result)
        lines += [
            f"{where}: {found[name]:,} {name}, at most {most:,}" for name, most in allowed.items() if found[name] > most
        ]
    return lines


def set_limits(results: Iterable[Result], path: Path = PATH) -> None:
    """Replaces the limits of the programs that have compiled."""
    limits = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for result in results:
        if not result["error"]:
            of_chip = limits.setdefault(result["chip"], {}).setdefault(result["compiler"], {})
            found = measures(result).items()
            of_chip[result["job"]] = {name: math.ceil(value * ROOM.get(name, 1)) for name, value in found}
    path.write_text(json.dumps(limits, indent=2) + "\n", encoding="utf-8")


def without_limits(results: Iterable[Result]) -> list[str]:
    """Returns the jobs that have no limits for their compiler."""
    limits = json.loads(PATH.read_text(encoding="utf-8"))
    return [result["job"] for result in results if result["job"] not in _of_compiler(limits, result)]


def _of_compiler(limits: dict[str, Any], result: Result) -> dict[str, Any]:
    return limits.get(result["chip"], {}).get(result.get("compiler", ""), {})
