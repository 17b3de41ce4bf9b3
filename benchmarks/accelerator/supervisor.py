"""Runs sections of measurements in child processes, within a time budget. Keeps the figures of a child that dies."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from benchmarks.accelerator import figures
from benchmarks.accelerator.plan import Item, Section

ROOT = Path(__file__).parents[2]
GRACE = 3.0  # seconds after the budget until a child is killed
PATIENCE = 2.5  # an item counts as hanging after this many times its expected seconds plus half a minute


class Supervisor:
    """Runs measurements, and prints and writes every figure as it arrives.

    Attributes:
      figures: all figures so far, with those of earlier runs that had the same work folder.
    """

    def __init__(self, work: Path, output: Path, budget: float):
        """Starts the budget.

        Args:
          work: folder for files that children share, and from which a later run continues.
          output: folder for the figures and the log.
          budget: seconds from now.
        """
        self._begin, self._ends = time.time(), time.time() + budget
        self._work, self._output = work, output
        work.mkdir(parents=True, exist_ok=True)
        output.mkdir(parents=True, exist_ok=True)
        self.figures = figures.read(work / "figures.jsonl")
        done = work / "done.txt"
        self._done = set(done.read_text(encoding="utf-8").splitlines()) if done.exists() else set()

    @property
    def seconds_left(self) -> float:
        return self._ends - time.time()

    def run(self, section: Section, environment: Mapping[str, str]) -> None:
        """Runs each item of a section that is not done, at most once. If a child dies, a new one runs the rest."""
        items = [item for item in section.items if f"{section.name}: {item.name}" not in self._done]
        while items and self.seconds_left > min(item.seconds for item in items) / 2:
            expected = sum(item.seconds for item in items)
            self._print(
                f"{section.name}: {len(items)} items, about {expected:.0f} s; {self.seconds_left:.0f} s are left"
            )
            items = self._child(section.name, items, environment)

    def close(self) -> str:
        """Writes the table of all figures, and returns it."""
        newest = {(one["section"], one["name"]): one for one in self.figures}
        text = figures.table(newest.values())
        (self._output / "table.md").write_text(text + "\n", encoding="utf-8")
        (self._output / "figures.jsonl").write_text(
            "".join(json.dumps(one) + "\n" for one in newest.values()), encoding="utf-8"
        )
        return text

    def _child(self, section: str, items: Sequence[Item], environment: Mapping[str, str]) -> list[Item]:
        """Runs items in one process. Returns those that another process may try."""
        job = {"ends": self._ends, "items": [item.to_dict() for item in items]}
        paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        with open(self._output / "log.txt", "a", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.accelerator.worker", json.dumps(job)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **environment, "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"},
                process_group=0,  # processes that it starts are killed with it
            )
            lines: queue.Queue[str] = queue.Queue()
            reader = threading.Thread(target=_read_lines, args=(process.stdout, lines.put), daemon=True)
            reader.start()
            try:
                return self._follow(section, {item.name: item for item in items}, process, lines.get)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                reader.join(timeout=1)  # it ends when the last process closes its end of the pipe
                if not reader.is_alive():
                    process.stdout.close()

    def _follow(self, section: str, left: dict[str, Item], process, next_line: Callable[..., str]) -> list[Item]:
        """Reads a child's lines until it ends, hangs or exceeds the budget. Returns the same as `_child`."""
        current, since = "", time.time()
        while True:
            allowed = PATIENCE * (left[current].seconds if current else 30) + 30
            ends = min(since + allowed, self._ends + GRACE)
            try:
                line = next_line(timeout=max(0.1, ends - time.time()))
            except queue.Empty:
                if ends < self._ends:
                    self._failed(section, current or "start", f"took longer than {allowed:.0f} s")
                    self._mark(section, left.pop(current, None))
                    return list(left.values()) if current else []
                self._print(f"{section}: the budget ended during {current or 'start'}")
                return []
            if not line:  # the process has ended
                if process.wait() == 0 and not current:
                    return []
                log = (self._output / "log.txt").read_text(encoding="utf-8", errors="replace").splitlines()
                last = next((text for text in reversed(log) if text.strip()), "")[:200]
                self._failed(section, current or "start", f"the process ended with {process.returncode}: {last}")
                self._mark(section, left.pop(current, None))
                return list(left.values()) if current else []
            match json.loads(line):
                case {"begin": name}:
                    current, since = name, time.time()
                case {"end": name}:
                    self._mark(section, left.pop(name))
                    current, since = "", time.time()
                case {"skipped": name}:
                    self._print(f"{section}: skipped {name}, too little time is left")
                    left.pop(name)
                case {"figure": figure}:
                    self._keep(figure | {"section": section, "item": current})

    def _failed(self, section: str, item: str, error: str) -> None:
        self._keep(figures.figure(item, None, error=error) | {"section": section, "item": item})

    def _keep(self, figure: figures.Figure) -> None:
        figure["at"] = time.time() - self._begin
        self.figures.append(figure)
        print(figures.line(figure), flush=True)
        for folder in (self._work, self._output):
            _append(folder / "figures.jsonl", json.dumps(figure))

    def _mark(self, section: str, item: Item | None) -> None:
        if item:
            _append(self._work / "done.txt", f"{section}: {item.name}")

    def _print(self, text: str) -> None:
        print(f"{time.time() - self._begin:6.1f} s  -- {text}", flush=True)


def _read_lines(stream: TextIO, put: Callable[[str], Any]) -> None:
    for line in stream:
        put(line)
    put("")


def _append(path: Path, line: str) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(line + "\n")
