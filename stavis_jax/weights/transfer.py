"""Applies the rows of key_tables.py both ways, between PyTorch state dicts and arrays by flat name.

Every key of a state dict is used, known as not needed, or reported as an error, and every array is filled.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from data_pipelines.runtime.errors import UserError
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.weights.checkpoint_kinds import Architecture
from stavis_jax.weights.flat_names import Weights, expected_shapes
from stavis_jax.weights.key_tables import UNUSED, AxisOrder, TensorRow, rows

PARTS = {"stavis": "", "kinetics": "trunk/", "soundnet": "soundnet/"}  # kind: prefix of its arrays' names


class Transferred(NamedTuple):
    """The contents of a state dict."""

    weights: Weights
    batches_tracked: dict[str, int] | None  # num_batches_tracked of each BatchNorm; None if there are none
    unused: list[str]  # keys that are known and not needed


def from_pytorch(state: Mapping[str, np.ndarray], network: Architecture, source: str) -> Transferred:
    """Converts a state dict, whose keys come without `module.`, to arrays by flat name.

    Raises:
      UserError: keys are unknown or missing, or shapes differ from the network's. The message starts with `source` and
        names all of them.
    """
    shapes, table = _targets(network)
    unused = [key for key in state if key.startswith(UNUSED[network.kind])]
    left_over = sorted(set(state) - {row.key for row in table} - set(unused))
    missing = [row.key for row in table if row.order and row.key not in state]
    if left_over or missing:
        kind, depth, shortcut = network
        name = f"a {kind} checkpoint" + (f" of depth {depth}, shortcut type {shortcut}" if depth else "")
        faults = [f"unknown keys: {', '.join(left_over)}"] * bool(left_over)
        faults += [f"missing keys: {', '.join(missing)}"] * bool(missing)
        raise UserError(f"{source}: does not fit {name}; {'; '.join(faults)}. Give a whole checkpoint.")
    table = [row for row in table if row.key in state]
    wrong = []
    for row in table:
        array, expected = state[row.key], _their_shape(shapes[row.name], row.order) if row.order else ()
        if array.shape != expected and not (array.size == 1 and not row.order):
            wrong.append(f"{row.key} is {_shape(array.shape)}, not {_shape(expected)}")
        elif row.order and array.dtype.kind != "f":
            wrong.append(f"{row.key} holds {array.dtype} values, not floating points")
    if wrong:
        raise UserError(f"{source}: {'; '.join(wrong)}. Give a checkpoint of the authors' network.")
    counters = {row.name: int(state[row.key].item()) for row in table if not row.order}
    weights = {row.name: _to_ours(state[row.key], row.order) for row in table if row.order}
    return Transferred(weights, counters or None, unused)


def to_pytorch(
    weights: Mapping[str, np.ndarray], batches_tracked: Mapping[str, int] | None, network: Architecture
) -> dict[str, np.ndarray]:
    """Converts arrays by flat name to a state dict in the authors' order.

    Writes 0 for counters that `batches_tracked` does not hold. If it is None, there are no counters.
    """
    state = {}
    for row in _targets(network)[1]:
        if row.order:
            state[row.key] = _to_theirs(weights[row.name], row.order)
        elif batches_tracked is not None:
            state[row.key] = np.asarray(batches_tracked.get(row.name, 0), np.int64)
    return state


def missing_arrays(weights: Mapping[str, np.ndarray], network: Architecture) -> list[str]:
    """Returns the names of the arrays that a checkpoint of this network needs and `weights` lacks."""
    return sorted(set(_targets(network)[0]) - set(weights))


def _targets(network: Architecture) -> tuple[dict[str, tuple], list[TensorRow]]:
    """Returns the shapes of a network's arrays by flat name, and its rows."""
    kind, depth, shortcut = network
    config = NetworkConfig(depth=depth, shortcut=shortcut) if depth and shortcut else NetworkConfig()
    shapes = {name: shape for name, shape in expected_shapes(config).items() if name.startswith(PARTS[kind])}
    modules = {name.rpartition("/")[0] for name in shapes}
    table = [row for row in rows(kind, depth) if row.name in (shapes if row.order else modules)]
    without_row = sorted(set(shapes) - {row.name for row in table})
    if without_row:
        raise ValueError(f"no row of weights/key_tables.py makes {', '.join(without_row)}")
    return shapes, table


def _their_shape(shape: tuple[int, ...], order: AxisOrder) -> tuple[int, ...]:
    theirs = dict.fromkeys(order.squeezed, 1) | dict(zip(order.axes, shape, strict=True))
    return tuple(theirs[axis] for axis in sorted(theirs))


def _to_ours(array: np.ndarray, order: AxisOrder) -> np.ndarray:
    squeezed = array.transpose(*order.axes, *order.squeezed)
    return np.ascontiguousarray(squeezed.reshape(squeezed.shape[: len(order.axes)]), np.float32)


def _to_theirs(array: np.ndarray, order: AxisOrder) -> np.ndarray:
    expanded = array.reshape(array.shape + (1,) * len(order.squeezed))
    return np.ascontiguousarray(expanded.transpose(np.argsort((*order.axes, *order.squeezed))), np.float32)


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a scalar"
