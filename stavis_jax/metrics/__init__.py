"""The five metrics of the MIT saliency benchmark, as its MATLAB code computes them: float64 NumPy, one map each.

Maps are [H, W]. A prediction goes through `postprocess` before any of them. `protocol` averages over frames, videos,
splits and databases.
"""

from stavis_jax.metrics.auc import auc_judd, shuffled_auc
from stavis_jax.metrics.cc import cc
from stavis_jax.metrics.nss import nss
from stavis_jax.metrics.postprocessing import imresize_bicubic, postprocess
from stavis_jax.metrics.sim import sim

__all__ = ["auc_judd", "cc", "imresize_bicubic", "nss", "postprocess", "shuffled_auc", "sim"]
