"""Checks weights: directories of this project, and files of PyTorch, safetensors and NumPy."""

from pathlib import Path

import numpy as np

from data_pipelines.runtime.errors import UserError
from stavis_jax.checking.finding import Finding, damaged
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.weights.directory import ADVICE, WeightsInfo, read_weights
from stavis_jax.weights.flat_names import Weights, expected_shapes
from stavis_jax.weights.pytorch_weights import AUDIOVISUAL, read_pytorch_weights
from stavis_jax.weights.transfer import missing_arrays

MOST_NAMES = 3


def check_weights_directory(directory: Path) -> Finding:
    """Checks the checksum, and that every array of the network is there, has its shape and is finite."""
    try:
        weights, info = read_weights(directory)
        check_arrays(weights, info, f"{directory}: damaged, ", ADVICE)
    except UserError as error:
        return damaged(directory, error)
    return Finding(directory, _description(weights, info))


def check_weights_file(path: Path) -> Finding:
    """Checks a .pth, .safetensors or .npy file. Reading it checks the names, the shapes and that arrays are finite."""
    try:
        weights, info, *_ = read_pytorch_weights(path)
    except UserError as error:
        return damaged(path, error)
    return Finding(path, _description(weights, info))


def check_arrays(weights: Weights, info: WeightsInfo, begin: str, advice: str) -> None:
    """Raises UserError, which begins with `begin`, if an array is missing, not finite or of another shape."""
    network = info.network_config() if info.kind == "stavis" else None
    if network:
        needed = expected_shapes(network)
        shapes = expected_shapes(info.network_config(AUDIOVISUAL)) | needed
        missing = sorted(needed.keys() - weights.keys())
    else:
        whole = NetworkConfig(depth=info.depth, shortcut=info.shortcut) if info.depth and info.shortcut else None
        shapes = expected_shapes(whole or NetworkConfig())
        missing = missing_arrays(weights, info.architecture)
    wrong = [name for name, array in weights.items() if name in shapes and array.shape != shapes[name]]
    unknown = sorted(weights.keys() - shapes.keys())
    infinite = [name for name, array in weights.items() if not np.isfinite(array).all()]
    for fault, names in (
        ("it lacks", missing),
        ("it has arrays that the network has not:", unknown),
        ("the shapes differ from the network's of", wrong),
        ("numbers are not finite in", infinite),
    ):
        if names:
            more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
            raise UserError(f"{begin}{fault} {', '.join(names[:MOST_NAMES])}{more}. {advice}")


def _description(weights: Weights, info: WeightsInfo) -> str:
    network = info.variant or info.kind
    depth = f" of depth {info.depth}" if info.depth else ""
    return f"weights of {network}{depth}, {len(weights)} arrays, all finite"
