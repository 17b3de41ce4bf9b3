"""The status of a run as lines of text."""

import datetime
from collections.abc import Sequence

from data_pipelines.runtime.errors import one_line
from stavis_jax.watch import beats
from stavis_jax.watch.run_status import EMPTY, HANGING, KILLED, UNKNOWN, HostStatus, RunStatus
from stavis_jax.watch.stage_status import StageStatus

HEADINGS = ("stage", "state", "epoch", "step", "loss", "validation", "clips/s", "data wait", "checkpoint", "left")
MEANINGS = {
    EMPTY: "holds no training yet",
    UNKNOWN: "no heartbeat: not started by this version, or a damaged folder",
    KILLED: "killed: the process is gone. The same command continues the run",
    HANGING: "hanging: a process gives no sign of life",
}


def status_lines(status: RunStatus) -> list[str]:
    """Returns one line for the run, one for each host if there are several, a table of the stages, and notes."""
    state = MEANINGS.get(status.state, status.state)
    if status.doing:
        state += f", {status.doing}"
    if status.state == beats.FINISHED and status.is_scored:
        state += " and scored"
    if status.exit_code:
        state += f" with code {status.exit_code}"
    if status.message:
        state += f": {status.message}"
    if len(status.hosts) == 1 and status.state in (beats.RUNNING, HANGING):
        state += f" ({_host(status.hosts[0])})"
    lines = [f"{status.run}: {state}"]
    if len(status.hosts) > 1:
        lines += [f"host {host.host}: {host.state} ({_host(host)})" for host in status.hosts]
    if status.stages:
        lines += _table([HEADINGS, *(_cells(stage) for stage in status.stages)])
    return [one_line(line) if index == 0 else line for index, line in enumerate(lines)] + [
        f"note: {one_line(note)}" for note in status.notes
    ]


def duration(seconds: float) -> str:
    """Returns a time with one or two units: "45 s", "12 min", "3 h 20 min", "2 d 4 h"."""
    minutes, hours = round(seconds / 60), int(seconds // 3600)
    if seconds < 60:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    if hours < 48:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{hours // 24} d {hours % 24} h"


def _host(host: HostStatus) -> str:
    return one_line(f"{host.name}, process {host.process}, sign of life {duration(host.age_seconds)} ago")


def _cells(stage: StageStatus) -> tuple[str, ...]:
    checkpoint, left = "", ""
    if stage.checkpoint_step is not None:
        checkpoint = f"step {stage.checkpoint_step}"
        if stage.checkpoint_age_seconds is not None:
            checkpoint += f", {duration(stage.checkpoint_age_seconds)} ago"
    if stage.remaining_seconds is not None:
        end = datetime.datetime.now() + datetime.timedelta(seconds=stage.remaining_seconds)
        left = f"{duration(stage.remaining_seconds)}, until {end:%Y-%m-%d %H:%M}"
    return (
        one_line(stage.name),
        stage.state,
        _of(stage.epoch, stage.epochs),
        _of(stage.step, stage.steps),
        _number(stage.loss, ".3f"),
        _number(stage.validation_loss, ".3f"),
        _number(stage.clips_per_second, ".1f"),
        _number(stage.data_wait, ".0%"),
        checkpoint,
        left,
    )


def _of(done: int | None, total: int | None) -> str:
    if done is None:
        return "" if total is None else f"of {total}"
    return str(done) if total is None else f"{done} of {total}"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Returns rows in columns. A column that is empty in all rows is left out."""
    used = [index for index in range(len(HEADINGS)) if any(row[index] for row in rows[1:])]
    widths = {index: max(len(row[index]) for row in rows) for index in used}
    return ["  ".join(row[index].ljust(widths[index]) for index in used).rstrip() for row in rows]
