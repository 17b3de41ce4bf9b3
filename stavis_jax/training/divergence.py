"""Stops a training at a step that is not finite, or goes back and leaves out the batch of that step.

A batch is left out by its number in the order of the data, which the progress holds. The steps keep their numbers: the
step that failed runs again, with the next batch. Every host decides the same, from the same values.
"""

import dataclasses
import logging
from collections.abc import Sequence

from stavis_jax.training.devices import is_first_host
from stavis_jax.training.progress import NotFiniteError, Progress

_log = logging.getLogger(__name__)


def batch_of_step(step: int, skipped: Sequence[int]) -> int:
    """Returns the number, from 0, of the batch that a step uses, from 1. -1 for step 0, before the first."""
    batch = step - 1
    if step:
        for left_out in skipped:
            batch += left_out <= batch
    return batch


def batches_to_drop(done_steps: int, skipped: Sequence[int]) -> int:
    """Returns how many batches lie between those of the last step and of the next one."""
    return batch_of_step(done_steps + 1, skipped) - batch_of_step(done_steps, skipped) - 1


def without_batch(fault: NotFiniteError, failed: Progress, restored: Progress, restored_step: int) -> Progress:
    """Returns the progress to go on with from a checkpoint, without the batch of the step that failed.

    Args:
      failed: the progress when the step failed.
      restored: the progress of the checkpoint.
      restored_step: the step of the checkpoint.

    Raises:
      NotFiniteError: a batch has been left out since this checkpoint already.
    """
    batch = batch_of_step(fault.step, failed.skipped)
    if set(failed.skipped) - set(restored.skipped):
        advice = (
            f"A batch was already left out after the checkpoint of step {restored_step}. "
            "Lower the learning rate or set max_gradient_norm; the last checkpoint is from before."
        )
        raise NotFiniteError(fault.step, fault.fault, advice)
    if is_first_host():
        _log.warning("%s Going on from step %d, without this batch.", fault.fault, restored_step)
    skipped = sorted({*restored.skipped, batch})
    return dataclasses.replace(restored, skipped=skipped, batch_norm_shares=failed.batch_norm_shares)
