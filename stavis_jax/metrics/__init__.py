"""The metrics of the MIT saliency benchmark, as its MATLAB code computes them: float64 NumPy, one map each.

Maps are [H, W]. A prediction goes through `postprocess` before any of them. `over_frames` makes a metric take stacks of
maps. `protocol` scores videos, `aggregation` averages over videos, splits and databases.
"""

from stavis_jax.metrics.auc import auc_judd, shuffled_auc, shuffled_auc_others
from stavis_jax.metrics.batches import over_frames
from stavis_jax.metrics.cc import cc
from stavis_jax.metrics.information import information_gain, kl_divergence
from stavis_jax.metrics.nss import nss
from stavis_jax.metrics.postprocessing import imresize_bicubic, postprocess
from stavis_jax.metrics.sampled import auc_judd_sampled, shuffled_auc_others_sampled, shuffled_auc_sampled
from stavis_jax.metrics.sim import sim

__all__ = [
    "auc_judd",
    "auc_judd_sampled",
    "cc",
    "imresize_bicubic",
    "information_gain",
    "kl_divergence",
    "nss",
    "over_frames",
    "postprocess",
    "shuffled_auc",
    "shuffled_auc_others",
    "shuffled_auc_others_sampled",
    "shuffled_auc_sampled",
    "sim",
]
