"""Warns if BatchNorm's statistics change because a training goes on with another number of devices."""

import logging

from flax import nnx

from stavis_jax.models.layers import BatchNorm
from stavis_jax.models.stavis import Stavis
from stavis_jax.training.devices import is_first_host

_log = logging.getLogger(__name__)


def batch_norm_shares(network: Stavis) -> int:
    """Returns the number of parts of a batch that have BatchNorm statistics of their own. 1: over the whole batch."""
    return max((module.groups for _, module in nnx.iter_modules(network) if isinstance(module, BatchNorm)), default=1)


def warn_if_statistics_change(title: str, before: int, now: int, batch_size: int) -> None:
    """Warns that the numbers change, if BatchNorm sees other parts of a batch. `before` is 0 if it is not known."""
    if before in (0, now) or not is_first_host():
        return
    _log.warning(
        "%s: --config.compute.batch_norm=per-device took statistics over %d clips on each of %d devices, and now takes "
        "them over %d on each of %d. The numbers change.",
        title,
        batch_size // before,
        before,
        batch_size // now,
        now,
    )
