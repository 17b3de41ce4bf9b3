"""Chooses, by dynamic programming, where a window keeps most saliency without moving back and forth."""

from collections.abc import Sequence

import numpy as np

from stavis_jax.reframing.saliency_profile import share_in_window

GRID = 112  # positions along the whole side: as fine as the network's maps
INNER = 0.6  # of the window: what lies there counts more, so that a subject is not at the edge
INNER_WEIGHT = 0.4
# Seconds. A move across the whole side must gain as much saliency as a whole frame holds in this time.
COST_OF_MOVING = 0.5


def positions(length: float) -> np.ndarray:
    """Returns the starts that a window of this length may have, as shares of the side: [P], evenly spaced."""
    room = max(0.0, 1 - length)
    return np.linspace(0, room, max(1, round(room * GRID)) + 1)


def window_values(profiles: np.ndarray, starts: np.ndarray, length: float) -> np.ndarray:
    """Returns how good each window is, in [0, 1]: float64 [K, P]. See `INNER`."""
    whole = share_in_window(profiles, starts, length)
    inner = share_in_window(profiles, starts + length * (1 - INNER) / 2, length * INNER)
    return (1 - INNER_WEIGHT) * whole + INNER_WEIGHT * inner


def best_windows(values: np.ndarray, spacing: float, step_seconds: float, max_speed: float) -> np.ndarray:
    """Returns the best sequence of windows: indices of positions, int [K].

    It maximises the sum of values * step_seconds, minus `COST_OF_MOVING` times the distance. Of several subjects, it
    follows the one that is worth most, and never stays between two.

    Args:
      values: [K, P]; see `window_values`.
      spacing: of the positions, as a share of the side.
      step_seconds: time from one row of values to the next.
      max_speed: shares of the side per second.
    """
    reach = max(1, int(max_speed * step_seconds / spacing))
    moves = np.arange(-reach, reach + 1)
    costs = COST_OF_MOVING * spacing * np.abs(moves)[:, None]
    num_steps, num_positions = values.shape
    came_from = np.zeros((num_steps, num_positions), np.int16)
    padded = np.full(num_positions + 2 * reach, -np.inf)
    sources = np.arange(num_positions) + (moves + reach)[:, None]  # in `padded`
    total = values[0] * step_seconds
    for step in range(1, num_steps):
        padded[reach : reach + num_positions] = total
        candidates = padded[sources] - costs
        best = _first_largest(candidates, reach)
        came_from[step] = best - reach
        total = candidates[best, np.arange(num_positions)] + values[step] * step_seconds
    found = np.empty(num_steps, int)
    found[-1] = _middle_of_largest(total)
    for step in range(num_steps - 1, 0, -1):
        found[step - 1] = found[step] + came_from[step, found[step]]
    return found


def good_ranges(values: np.ndarray, chosen: Sequence[int] | np.ndarray, tolerance: float) -> np.ndarray:
    """Returns the first and last position around each chosen one whose value is hardly lower: int [K, 2]."""
    ranges = np.empty((len(values), 2), int)
    for step, position in enumerate(chosen):
        worse = np.flatnonzero(values[step] < values[step, position] - tolerance)
        place = int(np.searchsorted(worse, position))
        ranges[step, 0] = worse[place - 1] + 1 if place else 0
        ranges[step, 1] = worse[place] - 1 if place < len(worse) else values.shape[1] - 1
    return ranges


def _first_largest(candidates: np.ndarray, stay: int) -> np.ndarray:
    """Returns the row of the largest candidate in each column; of equals, the row `stay`, which does not move."""
    best = candidates.argmax(axis=0)
    columns = np.arange(candidates.shape[1])
    return np.where(candidates[stay] >= candidates[best, columns], stay, best)


def _middle_of_largest(total: np.ndarray) -> int:
    """Returns the middle one of the positions that share the largest total: a constant map gives the centre."""
    largest = np.flatnonzero(total >= total.max() - 1e-9)
    return int(largest[len(largest) // 2])
