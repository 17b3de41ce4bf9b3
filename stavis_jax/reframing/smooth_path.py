"""Finds a smooth path through ranges by linear programming: an L1-optimal cubic spline with bounded derivatives.

The path is a uniform cubic B-spline. Its speed, acceleration and jerk lie between the differences of its control
points, so bounds on these differences hold at every moment, whatever the times of the frames.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
from scipy.optimize import linprog

from data_pipelines.runtime.errors import UserError

STEP_SECONDS = 0.2  # between control points
DEGREE = 3
PIECE_STEPS, KEPT_STEPS = 300, 225  # long shots are solved in pieces; each looks a quarter further than it is kept
SAFETY = 0.999  # of the bounds, for the solver's tolerance
WEIGHT_OF_MOTION = (1.0, 0.5, 0.05)  # of the L1 norms of speed, acceleration (times s), jerk (times s^2)
WEIGHT_OUTSIDE = 20.0  # per second and share of the side outside of the range


@dataclass(frozen=True)
class CameraLimits:
    """Bounds on the camera's motion, in shares of the side along which it moves: per s, per s^2 and per s^3."""

    speed: float = 0.4
    acceleration: float = 0.8
    jerk: float = 4.0


def smooth_path(ranges: np.ndarray, room: float, limits: CameraLimits) -> np.ndarray:
    """Returns the control points of a path: float64 [K + 2], in [0, room].

    Args:
      ranges: [K, 2], the lowest and highest wanted place at times 0, STEP_SECONDS, ... The path leaves them where the
        limits force it to.
      room: the highest place.
      limits: bounds that the path keeps.
    """
    num_points = len(ranges) + DEGREE - 1
    points = np.empty(num_points)
    done = 0  # points that are final
    while done < num_points:
        begin = max(0, done - DEGREE)
        end = min(num_points, begin + PIECE_STEPS + DEGREE)
        is_last = end == num_points
        piece = _solve(ranges[begin : end - DEGREE + 1], room, limits, points[begin:done], rest_at_end=not is_last)
        kept = end if is_last else begin + KEPT_STEPS
        points[done:kept] = piece[done - begin : kept - begin]
        done = kept
    return points


def places_at(points: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Returns the places of a path at times since its beginning: float64 [N]."""
    at = np.clip(seconds / STEP_SECONDS, 0, len(points) - DEGREE)
    first = np.minimum(at.astype(int), max(0, len(points) - DEGREE - 1))
    part = at - first
    weights = (
        (1 - part) ** 3,
        3 * part**3 - 6 * part**2 + 4,
        -3 * part**3 + 3 * part**2 + 3 * part + 1,
        part**3,
    )
    last = len(points) - 1
    return sum(weight * points[np.minimum(first + offset, last)] for offset, weight in enumerate(weights)) / 6


def _solve(
    ranges: np.ndarray, room: float, limits: CameraLimits, fixed: np.ndarray, *, rest_at_end: bool
) -> np.ndarray:
    """Returns the control points of one piece. `fixed` are its first ones.

    Variables are the points, then the absolute values of their differences of orders 1 to 3, then the distances from
    the ranges. A piece that is not the last ends at rest, so that a next piece always exists.
    """
    num_points = len(ranges) + DEGREE - 1
    differences = [_differences(num_points, order) for order in (1, 2, 3)]
    sizes = [matrix.shape[0] for matrix in differences]
    at_steps = scipy.sparse.diags_array([1 / 6, 4 / 6, 1 / 6], offsets=[0, 1, 2], shape=(len(ranges), num_points))
    # Rows: +-difference <= its absolute value; +-(place - edge of the range) <= its distance.
    rows = [*differences, at_steps]
    upper = scipy.sparse.hstack([scipy.sparse.vstack(rows), -scipy.sparse.eye_array(sum(sizes) + len(ranges))])
    lower = scipy.sparse.hstack([-scipy.sparse.vstack(rows), -scipy.sparse.eye_array(sum(sizes) + len(ranges))])
    zeros = np.zeros(sum(sizes))
    right = np.concatenate([zeros, ranges[:, 1], zeros, -ranges[:, 0]])
    bounds: list[tuple[float, float | None]] = [(0.0, room)] * num_points
    bounds[: len(fixed)] = [(value, value) for value in np.clip(fixed, 0, room).tolist()]
    costs = [np.zeros(num_points)]
    for order, (size, limit) in enumerate(
        zip(sizes, (limits.speed, limits.acceleration, limits.jerk), strict=True), start=1
    ):
        bounds += [(0.0, SAFETY * limit * STEP_SECONDS**order)] * size
        costs.append(np.full(size, WEIGHT_OF_MOTION[order - 1] / STEP_SECONDS ** (order - 1)))
    bounds += [(0.0, None)] * len(ranges)
    costs.append(np.full(len(ranges), WEIGHT_OUTSIDE * STEP_SECONDS))
    equal = right_equal = None
    if rest_at_end:
        rest = scipy.sparse.csr_array(differences[0])[-(DEGREE - 1) :]
        equal = scipy.sparse.hstack([rest, scipy.sparse.csr_array((DEGREE - 1, sum(sizes) + len(ranges)))])
        right_equal = np.zeros(DEGREE - 1)
    found = linprog(
        np.concatenate(costs),
        A_ub=scipy.sparse.vstack([upper, lower]).tocsc(),
        b_ub=right,
        A_eq=equal,
        b_eq=right_equal,
        bounds=bounds,
        method="highs",
    )
    if found.x is None:
        raise UserError(f"the camera's path cannot be found ({found.message}). Give a larger --max-speed.")
    return np.clip(found.x[:num_points], 0, room)


def _differences(num_points: int, order: int) -> scipy.sparse.csr_array:
    """Returns the matrix of the differences of an order: [num_points - order, num_points]."""
    signs = {1: [-1.0, 1.0], 2: [1.0, -2.0, 1.0], 3: [-1.0, 3.0, -3.0, 1.0]}[order]
    shape = (num_points - order, num_points)
    return scipy.sparse.diags_array(signs, offsets=list(range(order + 1)), shape=shape).tocsr()
