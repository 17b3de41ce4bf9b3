"""STATE <-> DISK: a training's checkpoints, with everything that going on exactly needs, written by orbax."""

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grain
import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils

from data_pipelines.runtime.errors import UserError, system_fault
from stavis_jax.training.devices import wait_for_all_hosts
from stavis_jax.training.step import TrainState

_log = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints of one stage, DIR/<step>/: weights, statistics, optimiser, position in the data, progress.

    Saving goes on in the background; leaving the `with` block waits for it. A checkpoint appears whole or not at all;
    the latest `keep` stay. On several hosts all of them save and restore together, to a folder that all see.
    """

    def __init__(self, directory: Path, keep: int = 2):
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, create=True)
        self._directory = directory
        self._manager = ocp.CheckpointManager(directory.absolute(), options=options)

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_) -> None:
        with self._faults_told():
            self._manager.close()

    def latest_step(self) -> int | None:
        return self._manager.latest_step()

    def save(self, state: TrainState, batches: Iterator, progress: dict[str, Any]) -> None:
        """Saves under the state's step. `progress` is JSON: epochs done, best loss, and the like.

        Raises UserError if this checkpoint, or the one before it, cannot be written: the disk is full, mostly.
        """
        step = int(state.step)
        if step in self._manager.all_steps():
            return
        items = ocp.args.Composite(
            state=ocp.args.StandardSave(_plain(state)),
            batches=grain.checkpoint.CheckpointSave(batches),
            progress=ocp.args.JsonSave(progress),
        )
        with self._faults_told():
            self._manager.save(step, args=items)

    def restore(self, like: TrainState, batches: Iterator) -> tuple[TrainState, dict[str, Any]]:
        """The latest whole checkpoint, placed as `like` is; moves `batches` to where it stood.

        A damaged one is passed over with a warning where there is one before it.

        Raises:
          UserError: none fits the configuration, or all are damaged.
        """
        abstract = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=getattr(x, "sharding", None)), _plain(like)
        )
        items = ocp.args.Composite(
            state=ocp.args.StandardRestore(abstract),
            batches=grain.checkpoint.CheckpointRestore(batches),
            progress=ocp.args.JsonRestore(),
        )
        first_fault = None
        for step in sorted(self._manager.all_steps(), reverse=True):
            restored = error = None
            try:
                restored = self._manager.restore(step, args=items)
            except (ValueError, KeyError, TypeError, OSError) as fault:
                error = fault
            if not _all_hosts(error is None):
                reason = (str(error).splitlines() or [type(error).__name__])[0][:200] if error else "on another host"
                first_fault = first_fault or (step, reason, error)
                continue
            if first_fault:
                damaged, reason, _ = first_fault
                _log.warning(
                    "%s: damaged (%s). Going on from step %d instead.", self._directory / str(damaged), reason, step
                )
                self._set_aside([later for later in self._manager.all_steps() if later > step])
            leaves = jax.tree.leaves(restored["state"])
            return jax.tree.unflatten(jax.tree.structure(like), leaves), restored["progress"]
        step, reason, error = first_fault
        raise UserError(
            f"{self._directory / str(step)}: cannot go on from this checkpoint "
            f"({reason}). Use the configuration it was made with, or another --workdir."
        ) from error

    @contextlib.contextmanager
    def _faults_told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, RuntimeError) as error:
            number = error.errno if isinstance(error, OSError) else system_fault(error)
            if number is None:
                raise
            raise UserError(
                f"{self._directory}: a checkpoint cannot be written ({os.strerror(number)}). "
                "Mend that; the same command goes on from the last whole one."
            ) from error

    def _set_aside(self, steps: list[int]) -> None:
        """Renames checkpoints to <step>.damaged: their steps are run again and saved under these names."""
        if jax.process_index() == 0:
            for step in steps:
                aside = self._directory / f"{step}.damaged"
                shutil.rmtree(aside, ignore_errors=True)
                (self._directory / str(step)).rename(aside)
        wait_for_all_hosts("damaged checkpoints")
        self._manager.reload()


def _all_hosts(well: bool) -> bool:
    """Whether all is well on every host: they go on from the same step or not at all."""
    return well if jax.process_count() == 1 else bool(multihost_utils.process_allgather(np.array(well)).all())


def _plain(state: TrainState) -> dict[str, jax.Array]:
    """A flat dict of numbered leaves: orbax needs no knowledge of flax's and optax's own node types."""
    return {f"{i:05d}": leaf for i, leaf in enumerate(jax.tree.leaves(state))}
