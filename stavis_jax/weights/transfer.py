"""Applies the rows of tables.py both ways. Nothing is dropped or left empty unseen."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from data_pipelines.runtime.errors import UserError
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.weights.directory import Kind
from stavis_jax.weights.flat_names import Weights, expected_shapes
from stavis_jax.weights.tables import UNUSED_BY_TRUNK, AxisOrder, TensorRow, rows

PARTS = {"stavis": "", "kinetics": "trunk/", "soundnet": "soundnet/"}  # of the whole network, by name


class Transferred(NamedTuple):
    """What became of a state dict."""

    weights: Weights
    batches_tracked: dict[str, int] | None  # BatchNorm -> num_batches_tracked; None: the file has none
    unused: list[str]  # keys that are known and not needed


def from_pytorch(
    state: Mapping[str, np.ndarray], kind: Kind, depth: int | None, shortcut: str | None, source: str
) -> Transferred:
    """A state dict (keys without `module.`) as our arrays.

    Raises:
      UserError: keys that no row knows, arrays that no key fills, or other shapes than the network's; names them all.
    """
    shapes, table = _targets(kind, depth, shortcut)
    unused = [key for key in state if kind == "kinetics" and key.startswith(UNUSED_BY_TRUNK)]
    left_over = sorted(set(state) - {row.key for row in table} - set(unused))
    missing = [row.key for row in table if row.layout and row.key not in state]
    if left_over or missing:
        network = f"a {kind} checkpoint" + (f" of depth {depth}, shortcut type {shortcut}" if depth else "")
        faults = [f"not known there: {', '.join(left_over)}"] * bool(left_over)
        faults += [f"missing: {', '.join(missing)}"] * bool(missing)
        raise UserError(f"{source}: does not fit {network}; {'; '.join(faults)}. Give a whole checkpoint.")
    arrays = [row for row in table if row.layout]
    wrong = [
        f"{row.key} is {_shape(state[row.key].shape)}, not {_shape(theirs)}"
        for row in table
        if row.key in state
        and state[row.key].shape != (theirs := _their_shape(shapes[row.name], row.layout) if row.layout else ())
    ]
    if wrong:
        raise UserError(f"{source}: {'; '.join(wrong)}. Give a checkpoint of the authors' network.")
    counters = {row.name: int(state[row.key]) for row in table if not row.layout and row.key in state}
    weights = {row.name: _to_ours(state[row.key], row.layout) for row in arrays}
    return Transferred(weights, counters or None, unused)


def to_pytorch(
    weights: Mapping[str, np.ndarray],
    batches_tracked: Mapping[str, int] | None,
    kind: Kind,
    depth: int | None,
    shortcut: str | None,
) -> dict[str, np.ndarray]:
    """Our arrays as a state dict in the authors' order. Counters that are not known are 0; None: no counters."""
    state = {}
    for row in _targets(kind, depth, shortcut)[1]:
        if row.layout:
            state[row.key] = _to_theirs(weights[row.name], row.layout)
        elif batches_tracked is not None:
            state[row.key] = np.asarray(batches_tracked.get(row.name, 0), np.int64)
    return state


def missing_arrays(weights: Mapping[str, np.ndarray], kind: Kind, depth: int | None, shortcut: str | None) -> list[str]:
    """Names of our arrays that a checkpoint of that kind needs and `weights` lacks."""
    return sorted(set(_targets(kind, depth, shortcut)[0]) - set(weights))


def _targets(kind: Kind, depth: int | None, shortcut: str | None) -> tuple[dict[str, tuple], list[TensorRow]]:
    """Shapes of our arrays, and the rows of those the network has."""
    config = NetworkConfig(depth=depth, shortcut=shortcut) if depth else NetworkConfig()
    shapes = {name: shape for name, shape in expected_shapes(config).items() if name.startswith(PARTS[kind])}
    modules = {name.rpartition("/")[0] for name in shapes}
    table = [row for row in rows(kind, depth) if row.name in (shapes if row.layout else modules)]
    without_row = sorted(set(shapes) - {row.name for row in table})
    if without_row:
        raise ValueError(f"no row of weights/tables.py makes {', '.join(without_row)}")
    return shapes, table


def _their_shape(shape: tuple[int, ...], layout: AxisOrder) -> tuple[int, ...]:
    theirs = dict.fromkeys(layout.squeezed, 1) | dict(zip(layout.axes, shape, strict=True))
    return tuple(theirs[axis] for axis in sorted(theirs))


def _to_ours(array: np.ndarray, layout: AxisOrder) -> np.ndarray:
    squeezed = array.transpose(*layout.axes, *layout.squeezed)
    return np.ascontiguousarray(squeezed.reshape(squeezed.shape[: len(layout.axes)]), np.float32)


def _to_theirs(array: np.ndarray, layout: AxisOrder) -> np.ndarray:
    axes = (*layout.axes, *layout.squeezed)
    expanded = array.reshape(array.shape + (1,) * len(layout.squeezed))
    return np.ascontiguousarray(expanded.transpose(np.argsort(axes)), np.float32)


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a scalar"
