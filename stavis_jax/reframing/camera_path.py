"""Finds the camera's path through a film. The camera rests or moves smoothly within a shot, and may jump at a cut."""

import numpy as np

from stavis_jax.reframing.best_windows import best_windows, good_ranges, positions, window_values
from stavis_jax.reframing.smooth_path import STEP_SECONDS, CameraLimits, places_at, smooth_path

TOLERANCE = 0.03  # of saliency: what the camera may lose to move less
STILL_LOSS = 0.03  # of saliency over a shot: what a still camera may lose
STILL_LOSS_AT_ONCE = 0.2  # the same at any moment of the shot


def camera_path(
    profiles: np.ndarray, seconds: np.ndarray, shot_starts: list[int], length: float, limits: CameraLimits
) -> np.ndarray:
    """Returns where the window starts in each frame, as a share of the side: float64 [N] in [0, 1 - length].

    Args:
      profiles: saliency along the side, [N, S]; each row sums to 1.
      seconds: times of the frames, rising.
      shot_starts: index of the first frame of each shot.
      length: of the window, as a share of the side.
      limits: bounds on the motion within a shot.
    """
    found = np.zeros(len(profiles))
    for first, end in zip(shot_starts, [*shot_starts[1:], len(profiles)], strict=True):
        times = seconds[first:end] - seconds[first]
        found[first:end] = _path_of_shot(profiles[first:end], times, length, limits)
    return found


def _path_of_shot(profiles: np.ndarray, seconds: np.ndarray, length: float, limits: CameraLimits) -> np.ndarray:
    starts = positions(length)
    if len(starts) < 2 or starts[-1] <= 0:
        return np.zeros(len(profiles))
    profiles_at_steps, weights = _at_steps(profiles, seconds)
    values = window_values(profiles_at_steps, starts, length)
    chosen = best_windows(values * weights[:, None], float(starts[1]), STEP_SECONDS, limits.speed)
    still = _still_position(values, weights, chosen)
    if still is not None:
        return np.full(len(profiles), starts[still])
    ranges = starts[good_ranges(values, chosen, TOLERANCE)]
    ranges[weights == 0] = starts[0], starts[-1]  # nobody sees the camera there
    places = places_at(smooth_path(ranges, float(starts[-1]), limits), seconds)
    return np.clip(places, 0, starts[-1])


def _still_position(values: np.ndarray, weights: np.ndarray, chosen: np.ndarray) -> int | None:
    """Returns the position of a still camera, or None if it would lose too much against the chosen windows."""
    if (chosen == chosen[0]).all():
        return int(chosen[0])
    best = int((weights @ values).argmax())
    lost = values[np.arange(len(values)), chosen] - values[:, best]
    loses_little = np.average(lost, weights=weights) <= STILL_LOSS and lost[weights > 0].max() <= STILL_LOSS_AT_ONCE
    return best if loses_little else None


def _at_steps(profiles: np.ndarray, seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean profile of the frames around each step of the path, [K, S], and the weight of the step, [K].

    The weight is the number of steps for which these frames are shown: 0 at a step without frames.
    """
    num_steps = max(2, int(np.ceil(seconds[-1] / STEP_SECONDS - 1e-9)) + 1)
    nearest = np.minimum(np.rint(seconds / STEP_SECONDS).astype(int), num_steps - 1)
    sums = np.zeros((num_steps, profiles.shape[1]))
    np.add.at(sums, nearest, profiles)
    counts = np.bincount(nearest, minlength=num_steps)
    last_with_frames = np.maximum.accumulate(np.where(counts > 0, np.arange(num_steps), 0))
    weights = np.bincount(last_with_frames, minlength=num_steps)
    return sums[last_with_frames] / counts[last_with_frames][:, None], weights
