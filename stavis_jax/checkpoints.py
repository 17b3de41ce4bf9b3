"""STATE <-> DISK: a training's checkpoints, with everything that going on exactly needs, written by orbax."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grain
import jax
import orbax.checkpoint as ocp

from data_pipelines.errors import UserError
from stavis_jax.training.step import TrainState


class Checkpoints:
    """The checkpoints of one stage, DIR/<step>/: weights, statistics, optimiser, position in the data, progress.

    Saving goes on in the background; leaving the `with` block waits for it. A checkpoint appears whole or not at all.
    """

    def __init__(self, directory: Path, keep: int = 2):
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, create=True)
        self._directory = directory
        self._manager = ocp.CheckpointManager(directory.absolute(), options=options)

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_) -> None:
        self._manager.close()

    def latest_step(self) -> int | None:
        return self._manager.latest_step()

    def save(self, state: TrainState, batches: Iterator, progress: dict[str, Any]) -> None:
        """Saves under the state's step. `progress` is JSON: epochs done, best loss, and the like."""
        step = int(state.step)
        if step in self._manager.all_steps():
            return
        items = ocp.args.Composite(
            state=ocp.args.StandardSave(_plain(state)),
            batches=grain.checkpoint.CheckpointSave(batches),
            progress=ocp.args.JsonSave(progress),
        )
        self._manager.save(step, args=items)

    def restore(self, like: TrainState, batches: Iterator) -> tuple[TrainState, dict[str, Any]]:
        """The latest checkpoint, placed as `like` is; moves `batches` to where it stood.

        Raises:
          UserError: the checkpoint does not fit the configuration, or is damaged.
        """
        abstract = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=getattr(x, "sharding", None)), _plain(like)
        )
        items = ocp.args.Composite(
            state=ocp.args.StandardRestore(abstract),
            batches=grain.checkpoint.CheckpointRestore(batches),
            progress=ocp.args.JsonRestore(),
        )
        try:
            restored = self._manager.restore(self._manager.latest_step(), args=items)
        except (ValueError, KeyError, TypeError, OSError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise UserError(
                f"{self._directory / str(self.latest_step())}: cannot go on from this checkpoint "
                f"({reason}). Use the configuration it was made with, or another --workdir."
            ) from error
        leaves = jax.tree.leaves(restored["state"])
        return jax.tree.unflatten(jax.tree.structure(like), leaves), restored["progress"]


def _plain(state: TrainState) -> dict[str, jax.Array]:
    """A flat dict of numbered leaves: orbax needs no knowledge of flax's and optax's own node types."""
    return {f"{i:05d}": leaf for i, leaf in enumerate(jax.tree.leaves(state))}
