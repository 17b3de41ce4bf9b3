"""Checkpoints of a training, written by orbax. They hold everything that an exact resume needs."""

import contextlib
import dataclasses
import logging
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils

from data_pipelines.runtime.errors import UserError, system_fault
from stavis_jax.training.checkpointing.checksums import ITEM as CHECKSUMS
from stavis_jax.training.checkpointing.checksums import check_restored, checksums_to_restore, checksums_to_save
from stavis_jax.training.checkpointing.damage import damage_of
from stavis_jax.training.checkpointing.data_position import ITEM as POSITION
from stavis_jax.training.checkpointing.data_position import move_to, position_to_restore, position_to_save
from stavis_jax.training.checkpointing.host_barrier import HostBarrier
from stavis_jax.training.checkpointing.late_answers import ignore_late_answers
from stavis_jax.training.devices import is_first_host, wait_for_all_hosts
from stavis_jax.training.progress import Progress

_log = logging.getLogger(__name__)
_reader_warnings = logging.getLogger("absl")  # of orbax

PyTree = Any

_UNFINISHED = ".orbax-checkpoint-tmp"  # in the names of orbax's folders until a checkpoint is complete
# Network disks may show one host late what another has written. NFS keeps what it knows of a folder for 30 seconds.
_PAUSES_S = (1, 5, 30)


class Checkpoints:
    """The checkpoints in a folder, DIR/<step>/: the state on the devices, the position in the data, the progress.

    Saving runs in the background, and the end of the `with` block waits for it. A checkpoint appears whole or not at
    all. The latest `keep` stay. Several hosts save and restore together, in a folder that all of them see. The numbers
    of hosts and devices may have changed.
    """

    def __init__(self, directory: Path, keep: int = 2):
        _reader_warnings.addFilter(_is_not_of_readers)
        options = ocp.CheckpointManagerOptions(
            max_to_keep=keep,
            create=True,
            lightweight_initialize=True,  # orbax ends with a traceback where the description of a step is damaged
            single_host_load_and_broadcast=jax.process_count() > 1,  # each might list other steps
            async_options=ocp.AsyncOptions(barrier_sync_fn=HostBarrier()),
        )
        self._directory = directory
        unfinished = _remove_unfinished(directory) if is_first_host() else []
        ignore_late_answers()
        self._manager = ocp.CheckpointManager(directory.absolute(), options=options)
        latest = self._manager.latest_step()
        if unfinished and (latest is None or unfinished[-1] > latest):
            goes_on = "Starting again" if latest is None else f"Continuing from step {latest}"
            _log.warning("%s: was never completed. %s instead.", directory / str(unfinished[-1]), goes_on)

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_) -> None:
        with self._write_fault_as_user_error():
            self._manager.close()

    def latest_step(self) -> int | None:
        return self._manager.latest_step()

    def save(self, step: int, state: PyTree, batches: Iterator, progress: Progress) -> None:
        """Saves a step, unless it is saved already.

        Raises:
          UserError: this checkpoint or the one before it cannot be written, for instance because the disk is full.
        """
        if self._is_saved(step):
            return
        items = ocp.args.Composite(
            state=ocp.args.StandardSave(_numbered_leaves(state)),
            progress=ocp.args.JsonSave(dataclasses.asdict(progress)),
            **{POSITION: position_to_save(batches), CHECKSUMS: checksums_to_save(_numbered_leaves(state), progress)},
        )
        with self._write_fault_as_user_error():
            self._manager.save(step, args=items)

    def restore(self, like: PyTree, batches: Iterator) -> tuple[PyTree, Progress]:
        """Returns the state and progress of the latest checkpoint, and moves `batches` to its position.

        A damaged checkpoint is skipped with a warning, if there is an earlier one.

        Args:
          like: a state of the same structure, whose shapes, types and shardings the result gets.

        Raises:
          UserError: no checkpoint fits the configuration, or all are damaged.
        """
        abstract = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=getattr(x, "sharding", None)),
            _numbered_leaves(like),
        )
        with self._write_fault_as_user_error():
            self._manager.wait_until_finished()
        reader = self._reader()
        first_fault: tuple[int, str, Exception | None] | None = None
        for step in sorted(self._manager.all_steps(), reverse=True):
            restored: Any = None
            folder = self._directory / str(step)
            error: Exception | None = None
            for pause in (*_PAUSES_S, None) if jax.process_count() > 1 else (None,):
                try:
                    items = ocp.args.Composite(
                        state=ocp.args.StandardRestore(abstract),
                        progress=ocp.args.JsonRestore(),
                        **position_to_restore(folder),
                        **checksums_to_restore(folder),
                    )
                    restored = reader.restore(step, args=items)
                    check_restored(restored)
                    progress, error = Progress(**restored["progress"]), None
                    move_to(batches, restored, folder)
                except Exception as fault:
                    error = damage_of(fault)
                    if error is None:
                        raise
                if pause is None or _on_all_hosts(not _is_missing_file(error)):
                    break
                time.sleep(pause)
            if not _on_all_hosts(error is None):
                reason = (str(error).splitlines() or [type(error).__name__])[0][:200] if error else "on another host"
                first_fault = first_fault or (step, reason, error)
                continue
            if first_fault:
                damaged, reason, _ = first_fault
                _log.warning(
                    "%s: damaged (%s). Continuing from step %d instead.", self._directory / str(damaged), reason, step
                )
                self._set_aside([later for later in self._manager.all_steps() if later > step])
            return jax.tree.unflatten(jax.tree.structure(like), jax.tree.leaves(restored["state"])), progress
        assert first_fault, "there is a checkpoint"
        step, reason, error = first_fault
        raise UserError(
            f"{self._directory / str(step)}: cannot continue from this checkpoint "
            f"({reason}). Use the configuration it was made with, or another --workdir."
        ) from error

    def _reader(self) -> ocp.CheckpointManager:
        """Returns a manager that restores on this host alone. A host that failed would leave the others waiting."""
        if jax.process_count() == 1:
            return self._manager
        this = jax.process_index()
        alone = ocp.options.MultiprocessingOptions(
            primary_host=this, active_processes={this}, barrier_sync_key_prefix=f"restore{this}"
        )
        options = ocp.CheckpointManagerOptions(
            read_only=True,
            save_interval_steps=0,  # orbax warns of the options that a reader cannot have
            create=False,
            lightweight_initialize=True,
            multiprocessing_options=alone,
        )
        return ocp.CheckpointManager(self._directory.absolute(), options=options)

    def _is_saved(self, step: int) -> bool:
        if step in self._manager.all_steps():
            return True
        if jax.process_count() == 1 and (self._directory / str(step)).is_dir():
            self._manager.reload()  # a network disk did not list it before
            return True
        return False

    @contextlib.contextmanager
    def _write_fault_as_user_error(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, RuntimeError) as error:
            number = error.errno if isinstance(error, OSError) else system_fault(error)
            if number is None:
                raise
            raise UserError(
                f"{self._directory}: a checkpoint cannot be written ({os.strerror(number)}). "
                "Fix this, then run the same command: it resumes from the last complete checkpoint."
            ) from error

    def _set_aside(self, steps: list[int]) -> None:
        """Renames checkpoints to <step>.damaged: these steps are run again and saved under the same names."""
        if jax.process_index() == 0:
            for step in steps:
                aside = self._directory / f"{step}.damaged"
                shutil.rmtree(aside, ignore_errors=True)
                (self._directory / str(step)).rename(aside)
        wait_for_all_hosts("damaged checkpoints")
        self._manager.reload()


def _remove_unfinished(directory: Path) -> list[int]:
    """Removes the folders of checkpoints that were begun and never completed. Returns their steps, in order."""
    steps = []
    for path in directory.iterdir() if directory.is_dir() else ():
        step, mark, _ = path.name.partition(_UNFINISHED)
        if mark and step.isdecimal():
            shutil.rmtree(path, ignore_errors=True)
            steps.append(int(step))
    return sorted(steps)


def _is_not_of_readers(record: logging.LogRecord) -> bool:
    """Returns False for orbax's warning that a manager only reads: several hosts restore with such a manager."""
    return "Given directory is read only" not in str(record.msg)


def _is_missing_file(error: Exception | None) -> bool:
    return isinstance(error, FileNotFoundError) or "NOT_FOUND" in str(error)


def _on_all_hosts(condition: bool) -> bool:
    """Returns whether the condition holds on every host, so that all of them resume from the same step."""
    if jax.process_count() == 1:
        return condition
    return bool(multihost_utils.process_allgather(np.array(condition)).all())


def _numbered_leaves(state: PyTree) -> dict[str, jax.Array]:
    """Returns the arrays of a state as a flat dict, so that orbax need not know the node types of flax and optax."""
    return {f"{i:05d}": leaf for i, leaf in enumerate(jax.tree.leaves(state))}
