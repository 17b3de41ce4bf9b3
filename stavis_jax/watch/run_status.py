"""Reads the status of a run from its folder. Writes nothing and takes no lock, so it never disturbs the run."""

import contextlib
import dataclasses
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.runtime import json_files
from data_pipelines.runtime.errors import UserError, reason
from data_pipelines.runtime.folders import is_system_name
from data_pipelines.runtime.limits import is_name
from stavis_jax.watch import beats
from stavis_jax.watch.beats import Beat
from stavis_jax.watch.stage_status import FINISHED, StageStatus, is_stage, stage_status

SILENT_SECONDS = 30.0  # a process that lives beats every 2 seconds
EMPTY, UNKNOWN, KILLED, HANGING = "empty", "unknown", "killed", "hanging"  # beside the states of a heartbeat
NO_STAGES = ("hosts", "data", "maps")  # folders of a run


@dataclasses.dataclass(frozen=True)
class HostStatus:
    """A host of a run, by its heartbeat.

    Attributes:
      state: as in `Beat`; KILLED if the process is gone without a word; HANGING if it gives no sign of life, or is on
        another machine and may be gone.
      age_seconds: since the heartbeat.
    """

    host: int
    name: str
    process: int
    state: str
    age_seconds: float
    message: str


@dataclasses.dataclass(frozen=True)
class RunStatus:
    """A run.

    Attributes:
      run: its folder.
      state: that of its hosts; UNKNOWN if there is no heartbeat; EMPTY if there is nothing at all.
      doing: "training" or "scoring", say, while it runs.
      message, exit_code: how it ended.
      is_scored: whether the test films are scored.
      notes: faults of the files.
    """

    run: str
    state: str
    doing: str = ""
    message: str = ""
    exit_code: int | None = None
    is_scored: bool = False
    hosts: tuple[HostStatus, ...] = ()
    stages: tuple[StageStatus, ...] = ()
    notes: tuple[str, ...] = ()


def find_runs(folder: Path) -> list[Path]:
    """Returns the runs in a folder: itself, or the parts of an ablation, or the run that a stage belongs to.

    Raises:
      UserError: there is no such folder, or it cannot be read.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: is not a folder. Give the --workdir of a training.")
    try:
        if is_stage(folder):
            return [Path(os.path.abspath(folder)).parent]  # without "..", unlike Path.absolute
        parts = [part for part in folder.glob("split*/*") if _is_part(part)]
        list(folder.iterdir())
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror}). Check its permissions.") from error
    parts = [part for part in parts if part.parent.name.removeprefix("split").isdecimal()]
    return sorted(parts) or [folder]


def _is_part(folder: Path) -> bool:
    """Returns whether a folder may be a part of an ablation. One that cannot be searched may be, and is noted later."""
    if is_system_name(folder.name) or not os.path.isdir(folder):
        return False
    try:
        return not is_stage(folder)
    except OSError:
        return True


def run_status(run: Path) -> RunStatus:
    """Returns the status of a run, as far as its files can be read."""
    names, unlisted = _names(run)
    settings, notes = _settings(run / "config.json")
    heard, damaged = _beats(run / beats.FOLDER)
    hosts = tuple(_host_status(run, beat) for beat in heard)
    first = heard[0] if heard else None
    state = _state([host.state for host in hosts])
    is_alive = state == beats.RUNNING
    live = dict(first.training) if first else {}
    stages = []
    stage_names, unsearched = _stage_names(run, names, settings)
    for name in stage_names:
        of_this = live if live.get("stage") == name else {}
        is_training = is_alive and bool(of_this) and first is not None and first.doing == "training"
        stages.append(stage_status(run / name, _of_stage(settings, name), of_this, is_alive=is_training))
    is_scored = "results.json" in names
    if not hosts:
        is_empty = not any(name != beats.FOLDER for name in names) and not unlisted
        all_finished = bool(stages) and all(stage.state == FINISHED for stage in stages)
        state = EMPTY if is_empty else beats.FINISHED if all_finished else UNKNOWN
    ended = next((beat for beat in heard if beat.state == state), first)
    return RunStatus(
        str(run),
        state,
        first.doing if first and is_alive else "",
        ended.message if ended and not is_alive else "",
        ended.code if ended and ended.state != beats.RUNNING and not is_alive else None,
        is_scored,
        hosts,
        tuple(stages),
        (*unlisted, *notes, *damaged, *unsearched, *(note for stage in stages for note in stage.notes)),
    )


def _state(states: list[str]) -> str:
    """Returns the state of a run from those of its hosts: the worst one, while one of them runs."""
    if beats.RUNNING in states or HANGING in states:
        order = [HANGING, KILLED, beats.FAILED, beats.LOST, beats.RUNNING]  # others may have finished before the first
    else:
        order = [beats.FAILED, beats.LOST, beats.INTERRUPTED, beats.STOPPED, KILLED, beats.FINISHED]
    return next((state for state in order if state in states), UNKNOWN)


def _host_status(run: Path, beat: Beat) -> HostStatus:
    age = max(time.time() - beat.seconds, 0.0)
    with contextlib.suppress(OSError):  # clocks of machines may differ; that of the file server is another witness
        age = min(age, max(time.time() - (run / beats.FOLDER / f"{beat.host}.json").stat().st_mtime, 0.0))
    state = beat.state
    if state == beats.RUNNING:
        if beat.process_is_alive() is False:
            state = KILLED
        elif age > SILENT_SECONDS:
            state = HANGING
    return HostStatus(beat.host, beat.name, beat.process, state, age, beat.message)


def _beats(folder: Path) -> tuple[list[Beat], tuple[str, ...]]:
    """Returns the heartbeats in the order of the hosts, and a note for each file that is damaged."""
    try:
        paths = [path for path in folder.iterdir() if path.suffix == ".json" and path.stem.isdecimal()]
    except OSError as error:
        return [], () if isinstance(error, FileNotFoundError) else (_unreadable(folder, error),)
    found, notes = [], []
    for path in sorted(paths, key=lambda path: int(path.stem)):
        try:
            beat = beats.parse(beats.read_content(path))
        except OSError as error:
            notes.append(_unreadable(path, error))
            continue
        if beat:
            found.append(beat)
        else:
            notes.append(f"{path}: damaged.")
    return found, tuple(notes)


def _names(folder: Path) -> tuple[list[str], tuple[str, ...]]:
    """Returns the names in a folder, and a note if it cannot be listed."""
    try:
        return os.listdir(folder), ()
    except OSError as error:
        return [], (_unreadable(folder, error),)


def _unreadable(path: Path, error: OSError) -> str:
    return f"{path}: cannot be read ({reason(error)})."


def _settings(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    try:
        if not path.exists():
            return {}, ()
        return json_files.read_object(path, "Give another --workdir."), ()
    except UserError as error:
        return {}, (str(error).partition(" Give another")[0],)
    except OSError as error:
        return {}, (_unreadable(path, error),)


def _stage_names(run: Path, names: Sequence[str], settings: Mapping[str, Any]) -> tuple[list[str], tuple[str, ...]]:
    """Returns the variants that the run trains or has trained, `visual` first, and a note for an unreadable folder."""
    found, notes = set(), []
    for name in names:
        try:
            if name not in NO_STAGES and (run / name).is_dir() and is_stage(run / name):
                found.add(name)
        except OSError as error:
            notes.append(_unreadable(run / name, error))
    model, stages, init = (_section(settings, name) for name in ("model", "stages", "init"))
    variant = model.get("variant")
    if isinstance(variant, str) and is_name(variant) and variant.isprintable():
        found.add(variant)
        if "visual" in stages and not init.get("visual") and not init.get("audiovisual"):
            found.add("visual")
    return sorted(found, key=lambda name: (name != "visual", name)), tuple(notes)


def _of_stage(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return _section(_section(settings, "stages"), "visual" if name == "visual" else "audiovisual")


def _section(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = settings.get(name)
    return section if isinstance(section, dict) else {}
