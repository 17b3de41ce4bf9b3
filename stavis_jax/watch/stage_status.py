"""Reads the status of one training from its folder, RUN/<variant>."""

import dataclasses
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_pipelines.runtime.errors import reason
from data_pipelines.runtime.text_files import read_text

WAITING, TRAINING, FINISHED, PAUSED = "waiting", "training", "finished", "interrupted"
LEAST_STEPS = 2  # for an estimate
LONGEST_SECONDS = 100 * 365 * 86400.0  # a longer estimate is of no use, and its end may lie after the year 9999


@dataclasses.dataclass(frozen=True)
class StageStatus:
    """A training. None stands for what is not known.

    Attributes:
      name: the variant, such as "visual".
      state: WAITING, TRAINING, FINISHED, or PAUSED: begun, and not under way.
      epoch, epochs: finished epochs, and how many there are unless the training stops earlier.
      step, steps: the same of steps.
      loss, validation_loss: of the latest step while it trains, else of the latest epoch.
      clips_per_second, data_wait: speed, and share of the time that devices wait for data.
      checkpoint_step, checkpoint_age_seconds: the checkpoint from which the training would resume.
      remaining_seconds: until the last step, with the validations. A training may stop before that.
      notes: faults of the files.
    """

    name: str
    state: str
    epoch: int | None = None
    epochs: int | None = None
    step: int | None = None
    steps: int | None = None
    loss: float | None = None
    validation_loss: float | None = None
    clips_per_second: float | None = None
    data_wait: float | None = None
    checkpoint_step: int | None = None
    checkpoint_age_seconds: float | None = None
    remaining_seconds: float | None = None
    notes: tuple[str, ...] = ()


def is_stage(folder: Path) -> bool:
    """Returns whether a folder is that of a training."""
    return (folder / "metrics.jsonl").exists() or any((folder / name).is_dir() for name in ("checkpoints", "last"))


def stage_status(folder: Path, settings: Mapping[str, Any], live: Mapping[str, Any], *, is_alive: bool) -> StageStatus:
    """Returns the status of a training.

    Args:
      folder: RUN/<variant>. It need not exist.
      settings: the stage's settings; empty if they are not known.
      live: what the heartbeat says about the stage; empty if it is about another one.
      is_alive: whether the process trains this stage now.
    """
    rows, notes = _rows(folder / "metrics.jsonl")
    last = rows[-1] if rows else {}
    checkpoint, age, unlisted = _checkpoint(folder / "checkpoints")
    values = {**last, **{name: live[name] for name in ("loss", "clips_per_second", "data_wait") if name in live}}
    is_finished = os.path.isdir(folder / "last") and not is_alive  # False too if the folder cannot be searched
    if is_finished:
        values = last
    begun = bool(rows) or checkpoint is not None
    return StageStatus(
        folder.name,
        TRAINING if is_alive else FINISHED if is_finished else PAUSED if begun else WAITING,
        epoch=_whole(last.get("epoch")) or (0 if begun or is_alive else None),
        epochs=_whole(settings.get("epochs")),
        step=checkpoint if is_finished or not live else _whole(live.get("step")),
        steps=_whole(live.get("steps")),
        loss=_number(values.get("loss")),
        validation_loss=_number(last.get("validation_loss")),
        clips_per_second=_number(values.get("clips_per_second")),
        data_wait=_number(values.get("data_wait")),
        checkpoint_step=checkpoint,
        checkpoint_age_seconds=age,
        remaining_seconds=_remaining(live) if is_alive else None,
        notes=(*notes, *unlisted),
    )


def _rows(path: Path) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Returns the lines of metrics.jsonl that can be read, and a note if some cannot."""
    try:
        lines = read_text(path).splitlines()
    except FileNotFoundError:
        return [], ()
    except (OSError, UnicodeError) as error:
        return [], (f"{path}: cannot be read ({reason(error)}).",)
    rows, damaged = [], 0
    for line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            rows.append(row)
        else:
            damaged += 1
    return rows, (f"{path}: {damaged} of {len(lines)} lines are damaged.",) if damaged else ()


def _checkpoint(folder: Path) -> tuple[int | None, float | None, tuple[str, ...]]:
    """Returns the step of the latest checkpoint, its age in seconds, and a note if the folder cannot be read."""
    try:
        steps = [int(path.name) for path in folder.iterdir() if path.name.isdecimal() and path.is_dir()]
        if not steps:
            return None, None, ()
        return max(steps), max(time.time() - (folder / str(max(steps))).stat().st_mtime, 0.0), ()
    except (FileNotFoundError, ValueError):  # it is being removed
        return None, None, ()
    except OSError as error:
        return None, None, (f"{folder}: cannot be read ({reason(error)}).",)


def _remaining(live: Mapping[str, Any]) -> float | None:
    """Returns the seconds until the last step, from the pace since the first step, which compiles."""
    names = ("step", "steps", "first_step", "seconds", "first_seconds")
    step, steps, first_step, seconds, first_seconds = (_number(live.get(name)) for name in names)
    if step is None or steps is None or first_step is None or seconds is None or first_seconds is None:
        return None
    if step - first_step < LEAST_STEPS:
        return None
    left = (steps - step) * (seconds - first_seconds) / (step - first_step)
    left = max(left - max(time.time() - seconds, 0.0), 0.0)
    return left if left < LONGEST_SECONDS else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and abs(value) <= sys.float_info.max else None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else int(number)
