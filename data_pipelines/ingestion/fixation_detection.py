"""Finds fixations in samples of gaze by their dispersion (I-DT).

Source: D. Salvucci, J. Goldberg, "Identifying fixations and saccades in eye-tracking protocols", 2000.
"""

import numpy as np

SHORTEST_SECONDS = 0.1


def dispersion_fixations(samples: np.ndarray, rate_hz: float, dispersion: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns the centres of fixations, float64 [N, 2], and their durations in seconds, float64 [N].

    A fixation is a run of samples of at least a tenth of a second in which the range of x and the range of y are
    together at most `dispersion`. It is extended as long as they are.

    Args:
      samples: float64 [S, 2]; NaN or negative while the eye is lost.
      rate_hz: samples a second.
      dispersion: in the unit of the samples, usually that of one degree of visual angle.
    """
    lost: np.ndarray = ~np.all(samples >= 0, axis=1)
    shortest = max(2, round(SHORTEST_SECONDS * rate_hz))
    centres, seconds = [], []
    begin = 0
    while begin + shortest <= len(samples):
        window = samples[begin : begin + shortest]
        gaps = np.flatnonzero(lost[begin : begin + shortest])
        if len(gaps):
            begin += int(gaps[-1]) + 1
            continue
        low, high = window.min(axis=0), window.max(axis=0)
        if (high - low).sum() > dispersion:
            begin += 1
            continue
        end = begin + shortest
        while end < len(samples) and not lost[end]:
            low, high = np.minimum(low, samples[end]), np.maximum(high, samples[end])
            if (high - low).sum() > dispersion:
                break
            end += 1
        centres.append(samples[begin:end].mean(axis=0))
        seconds.append((end - begin) / rate_hz)
        begin = end
    return np.array(centres).reshape(-1, 2), np.array(seconds)
