"""Lays out docs/benchmarks.md: one section per job, replaced when measured again, and a line about the machine."""

import os
import platform
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.paired_timing import Pairs

if TYPE_CHECKING:
    from benchmarks.session import SpeedRow

INTRODUCTION = """# Benchmarks

Speed on a CPU as ratios: both sides are measured in turn in one run. Rates differ between machines and hours; ratios
differ less. `python -m benchmarks.run --write docs/benchmarks.md`, on an idle machine, measures everything again;
`--jobs` chooses what. It needs `pip install -e '.[torch]'`, and pysaliency for the scoring
(`benchmarks/jobs/scoring.py` shows how to install it). A range is that of pairs of times of the same two processes; two
other processes may differ from it by a sixth.

PyTorch's side is an implementation of the same network written for this comparison (`benchmarks/reference/`). It has
the same weights and runs as PyTorch users run it: eager, channels first, no `torch.compile`. It upsamples and
concatenates all features and upsamples each stage's own map, as the released code does; ours scores without those maps.
*Must* and *aim* are the goals on 2 CPU cores, and *met* is the one that is reached.

The allocation of memory decides much on a CPU: by default, freed memory goes back to the kernel, and the next call
waits for fresh pages. *Plain*: glibc's defaults on both sides. *As commands*: ours keeps freed memory, as its commands
do (a program that uses the library decides for itself); PyTorch has the defaults. *Tuned malloc*: both keep it, set by
the environment.
"""


def write_section(path: Path, title: str, text: str) -> None:
    """Puts the section `## title` into a Markdown file, in place of an earlier one, and keeps the other sections."""
    page = path.read_text(encoding="utf-8") if path.exists() else INTRODUCTION
    start, *sections = ("\n" + page).split("\n## ")
    kept = [section.strip("\n") for section in sections]
    titles = [section.partition("\n")[0] for section in kept]
    section = f"{title}\n\n{text.strip()}"
    where = titles.index(title) if title in titles else len(kept)
    kept[where : where + 1] = [section]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n## ".join([start.strip("\n"), *kept]) + "\n", encoding="utf-8")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table whose columns are numbers, the first one excepted."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def milliseconds(pairs: Pairs, clips: int) -> list[str]:
    """Returns the cells of a row: both sides' milliseconds a clip, and the ratio with its range."""
    theirs, ours = (f"{1e3 * seconds / clips:.4g}" for seconds in (pairs.their_seconds, pairs.our_seconds))
    return [theirs, ours, f"**{pairs.ratio:.2f}** ({min(pairs.ratios):.2f} to {max(pairs.ratios):.2f})"]


def agreement(rows: "Iterable[SpeedRow]") -> str:
    return f"largest difference {max(row.pairs.difference for row in rows):.1g} of the largest value."


def load() -> float | None:
    """Returns how many programs ran or waited in the last minute. Ask before measuring."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def machine(*packages: str, load: float | None) -> str:
    """Returns CPU, cores, load and versions in one line."""
    before = "load not known" if load is None else f"load {load:.1f} before"
    return f"{_cpu()}, {os.cpu_count()} cores, {before}; Python {platform.python_version()}, {versions(*packages)}"


def versions(*packages: str) -> str:
    return ", ".join(f"{name} {_version(name)}" for name in packages)


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
