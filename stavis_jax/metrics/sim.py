"""SIM: similarity, the mass that two maps have in common."""

import numpy as np

from stavis_jax.metrics.arrays import blocks, check_same_shape
from stavis_jax.metrics.measured_map import AnyMap, measured


def sim(saliency_map: AnyMap, density_map: AnyMap) -> float:
    """Returns the common mass of two maps [H, W].

    Formula: sum of min(s, d), with each map first stretched to [0, 1] and then divided by its sum.
    Range: 0 to 1, higher is better.
    0 if a map is zero everywhere, so a frame without fixations counts as 0, as in the benchmark. NaN if a map is
    another constant or holds a NaN.
    Compared with similarity.m of the MIT saliency benchmark.
    """
    saliency, density = measured(saliency_map), measured(density_map)
    check_same_shape(saliency.values, density.values)
    if saliency.has_nan or density.has_nan:
        return float("nan")
    constants = [values.lowest for values in (saliency, density) if values.is_constant]
    if constants:
        return float("nan") if any(constants) else 0.0
    # The range of the stretch cancels in the division by the sum. The density is brought to the mass and the minimum of
    # the saliency map, which then needs no arithmetic.
    scale = saliency.mass / density.mass
    offset = saliency.lowest - scale * density.lowest
    common = -saliency.values.size * saliency.lowest
    for of_saliency, of_density in blocks(saliency.values, density.values):
        of_density = of_density.astype(np.float64)
        of_density *= scale
        of_density += offset
        common += np.minimum(of_saliency, of_density, out=of_density).sum()
    return float(max(common / saliency.mass, 0.0))
