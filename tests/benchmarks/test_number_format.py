import numpy as np

from benchmarks.number_format import level_differences
from stavis_jax.scoring.protocol import PredictedVideo


def test_differences_are_counted_in_levels_over_all_maps():
    exact = np.arange(100, dtype=np.uint8).reshape(10, 10)
    rounded = exact.copy()
    rounded[0, :2] = 1, 4  # off by 1 and by 3
    videos = [PredictedVideo("Own", 1, "film", 10, {9: exact, 10: last_map}) for last_map in (exact, rounded)]
    *shares, largest, lowest = level_differences(*([video] for video in videos))
    assert shares == ["99.00%", "0.50%", "0.50%"]
    assert largest == "3" and 0.999 < float(lowest) < 1
