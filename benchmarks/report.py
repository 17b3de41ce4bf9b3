"""docs/benchmarks.md: a section for each benchmark, replaced when it is measured again; and what it was measured on."""

import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

INTRODUCTION = """# Benchmarks

Speed as ratios, both sides measured in turn in one run, with the program that measured them. Rates differ between
machines and hours; ratios differ less. `python -m benchmarks.run --write docs/benchmarks.md`, on an idle machine,
measures anew; `--jobs` chooses. It needs `pip install -e '.[torch]'`, and pysaliency for the scoring
(`benchmarks/evaluation.py` says how). A range is of pairs of times of the same two processes; another two may differ
from it by a sixth.

PyTorch's side is an implementation of the same network written for this comparison (`benchmarks/reference/`), with the
same weights, as its users run it: eager, channels first, no `torch.compile`. It upsamples and concatenates all features
and upsamples the stages' own maps, as the released code does; ours scores without those maps. *Must* and *aim* are the
goals on 2 CPU cores, and *met* says which is reached.

How memory is handed out decides much on a CPU: freed memory goes back to the kernel by default, and the next call waits
for fresh pages. *Plain*: glibc as it comes, on both sides. *As commands*: ours keeps freed memory, as its commands do
(`stavis_jax/cli/malloc.py`; a program that uses the library decides for itself), PyTorch as it comes. *Tuned malloc*:
both keep it, set by the environment.
"""


def write_section(path: Path, title: str, text: str) -> None:
    """Puts the section `## title` into a Markdown file, in the place of an earlier one, and leaves the others alone."""
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
    """A Markdown table; all columns but the first are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def load() -> float | None:
    """How many programs ran or waited in the last minute; ask before measuring."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def machine(*packages: str, load: float | None) -> str:
    """CPU, cores, load and versions, in one line."""
    versions = [f"{name} {_version(name)}" for name in packages]
    before = "load not known" if load is None else f"load {load:.1f} before"
    return f"{_cpu()}, {os.cpu_count()} cores, {before}; Python {platform.python_version()}, {', '.join(versions)}"


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
