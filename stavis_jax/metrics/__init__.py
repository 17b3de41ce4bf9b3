"""Saliency metrics as the MIT saliency benchmark's MATLAB code computes them, in float64 NumPy.

Each metric takes maps [H, W] of one frame and returns a float. Apply `postprocess` to a prediction first. `over_frames`
applies a metric to stacks of maps. `MeasuredMap` lets several metrics of a frame share the sums of its maps.
`stavis_jax.scoring` scores videos and databases.
"""

from stavis_jax.metrics.auc import auc_judd, shuffled_auc, shuffled_auc_others
from stavis_jax.metrics.cc import cc
from stavis_jax.metrics.information import information_gain, kl_divergence
from stavis_jax.metrics.measured_map import MeasuredMap
from stavis_jax.metrics.nss import nss
from stavis_jax.metrics.over_frames import over_frames
from stavis_jax.metrics.postprocessing import imresize_bicubic, postprocess
from stavis_jax.metrics.sampled_auc import auc_judd_sampled, shuffled_auc_others_sampled, shuffled_auc_sampled
from stavis_jax.metrics.sim import sim

__all__ = [
    "MeasuredMap",
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
