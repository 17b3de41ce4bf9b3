"""Starts worker processes, and keeps each result as a line of JSON, so that a later run goes on."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.compile_ahead.chips import Chip, environment
from benchmarks.compile_ahead.plan import Job

Result = dict[str, Any]
"""What a compiler says of one program: "chip", "job", "compiler", "digest", "error", and the facts of facts.py."""

ROOT = Path(__file__).parents[2]


def read(path: Path) -> list[Result]:
    """Returns the results in a file, or none if there is no file. Skips an incomplete line."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found


def newest(path: Path, chip: Chip, jobs: Sequence[Job]) -> list[Result]:
    """Returns the newest result of each of these jobs that has one, in the order of the jobs."""
    by_job = {one["job"]: one for one in read(path) if one["chip"] == chip.name}
    return [by_job[job.name] for job in jobs if job.name in by_job]


def compile_all(
    chip: Chip, jobs: Sequence[Job], path: Path, hlo_folder: str, tell: Callable[[Result], None]
) -> list[Result]:
    """Compiles jobs in child processes, and appends each result to a file.

    Args:
      chip: for which chip.
      jobs: what to compile.
      path: file of results. A program that it holds already is not compiled again.
      hlo_folder: folder for compiled HLO text, "" for none.
      tell: called with each result as it arrives.
    """
    found, names = [], [job.name for job in jobs]
    path.parent.mkdir(parents=True, exist_ok=True)
    while names:
        share = names[: chip.jobs_per_process]
        arguments = [chip.name, str(path.absolute()), hlo_folder, *share]
        for result in _child(arguments, environment(chip)):
            names.remove(result["job"])
            result.setdefault("chip", chip.name)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(result) + "\n")
            found.append(result)
            tell(result)
    return found


def _child(arguments: Sequence[str], environment: Mapping[str, str]) -> Iterator[Result]:
    """Runs a worker process and returns at least one result. If the process dies, the last result says so."""
    command = [sys.executable, "-m", "benchmarks.compile_ahead.worker", *arguments]
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=ROOT,
            env={**environment, "PYTHONUNBUFFERED": "1"},
        )
        current = arguments[3]
        try:
            for line in process.stdout:
                reply = json.loads(line)
                if "begin" in reply:
                    current = reply["begin"]
                else:
                    yield reply
                    current = ""
        finally:
            process.stdout.close()
            process.terminate()
            code = process.wait()
        if current:
            log.seek(0)
            last = next((line.strip() for line in reversed(log.readlines()) if line.strip()), "no message")
            yield {"job": current, "error": f"the compiler's process ended with {code}: {last}"[:300]}
