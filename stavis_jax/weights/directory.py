"""Our own weight format: DIR/stavis.json says what the arrays are, DIR/weights.safetensors holds them.

safetensors, as a file of strangers is only data there, it is read in one go, and every framework reads it.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import safetensors
import safetensors.numpy

from data_pipelines.runtime import atomic
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.limits import LARGEST_SIZE
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.weights.flat_names import Weights

Kind = Literal["stavis", "kinetics", "soundnet"]

INFO_FILE = "stavis.json"
ARRAYS_FILE = "weights.safetensors"
FORMAT = "stavis_jax weights"
FORMAT_VERSION = 1


@dataclasses.dataclass(frozen=True)
class WeightsInfo:
    """What a set of arrays is."""

    kind: Kind = "stavis"
    variant: str | None = None  # the system to run by default; None for a backbone
    depth: int | None = None  # of the 3D ResNet; None for SoundNet
    shortcut: str | None = None
    size: int = 112  # height and width of the clips it is for, pixels
    source: str = ""  # name of the .pth file, or of the training run
    epoch: int | None = None  # the epoch a training would go on with, as the authors' files count
    # BatchNorm -> num_batches_tracked, which only PyTorch keeps; None: the file came without
    batches_tracked: Mapping[str, int] | None = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind {self.kind!r} is not one of {', '.join(get_args(Kind))}")
        if self.kind == "stavis":
            self.network_config()  # raises on an unknown variant, depth or shortcut
        if not (isinstance(self.size, int) and 1 <= self.size <= LARGEST_SIZE):
            raise ValueError(f"size {self.size!r} is not a number of pixels from 1 to {LARGEST_SIZE}")
        if not (self.epoch is None or isinstance(self.epoch, int)):
            raise ValueError(f"epoch {self.epoch!r} is not a number")
        counters = self.batches_tracked if self.batches_tracked is not None else {}
        if not isinstance(counters, Mapping) or not all(isinstance(count, int) for count in counters.values()):
            raise ValueError("batches_tracked is not a number for each name")

    @classmethod
    def of_network(cls, config: NetworkConfig, **fields: Any) -> "WeightsInfo":
        """Of a network's own arrays: kind, variant, depth and shortcut from its config, the rest as given."""
        return cls("stavis", config.variant, config.depth, config.shortcut, **fields)

    def network_config(self, variant: str | None = None) -> NetworkConfig:
        """The network these arrays are for, or another variant of it."""
        return NetworkConfig(variant or self.variant, self.depth, self.shortcut)


def is_weights_directory(directory: Path) -> bool:
    return (directory / INFO_FILE).is_file()


def save_weights(directory: Path, weights: Weights, info: WeightsInfo, *, overwrite: bool = False) -> None:
    """Writes arrays and what they are to a directory, whole or not at all.

    One process writes; in a job of several hosts the others need not call it.

    Raises:
      UserError: the directory exists and `overwrite` is false, it holds something else, or it cannot be written.
    """
    directory = Path(directory).absolute()
    if directory.exists() and not overwrite:
        raise UserError(f"{directory}: exists already. Give another directory or delete it first.")
    if directory.exists() and not (is_weights_directory(directory) or _is_empty(directory)):
        raise UserError(
            f"{directory}: is not a converted checkpoint, so it is not overwritten. Give another directory."
        )
    try:
        with atomic.temporary_folder_beside(directory) as aside:
            new = aside / "new"
            new.mkdir()
            arrays = {name: np.ascontiguousarray(array) for name, array in weights.items()}
            safetensors.numpy.save_file(arrays, new / ARRAYS_FILE)
            written = {"format": FORMAT, "format_version": FORMAT_VERSION, "sha256": _sha256(new / ARRAYS_FILE)}
            content = written | dataclasses.asdict(info)
            (new / INFO_FILE).write_text(json.dumps(content, indent=2) + "\n")
            atomic.replace_folder(new, directory)
    except (OSError, safetensors.SafetensorError) as error:  # the latter for a full disk
        reason = getattr(error, "strerror", None) or _first_line(error)
        raise UserError(f"{directory}: cannot be written ({reason}). Give another one.") from error


def read_weights(directory: Path) -> tuple[Weights, WeightsInfo]:
    """Reads a directory that `save_weights` wrote: float32 arrays on the host, and what they are.

    Raises:
      UserError: no such directory, one of another kind, or a damaged one.
    """
    directory = Path(directory).absolute()
    info, sha256 = _read_description(directory)
    path = directory / ARRAYS_FILE
    try:
        intact = _sha256(path) == sha256
        weights = safetensors.numpy.load_file(path) if intact else {}
    # AttributeError, KeyError: safetensors' for formats of numbers that NumPy has not.
    except (OSError, safetensors.SafetensorError, AttributeError, KeyError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({_first_line(error)}). Convert or train again.") from error
    if not intact:
        raise UserError(f"{path}: damaged (not the bytes that were written). Convert or train again.")
    if other := [name for name, array in weights.items() if array.dtype != np.float32]:
        raise UserError(f"{path}: {', '.join(other)} are not float32. Convert or train again.")
    return weights, info


def read_info(directory: Path) -> WeightsInfo:
    """What the arrays of a directory are, without reading them. Raises UserError as `read_weights` does."""
    return _read_description(directory)[0]


def _read_description(directory: Path) -> tuple[WeightsInfo, str]:
    """What the arrays are, and the SHA-256 of their file."""
    path = Path(directory) / INFO_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"{directory}: not a converted checkpoint, it has no {INFO_FILE}. "
            f"Give a directory that `python -m stavis_jax.convert` wrote."
        ) from error
    except (ValueError, RecursionError) as error:  # the latter: brackets by the thousand
        raise UserError(f"{path}: damaged ({error}). Convert or train again.") from error
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise UserError(f"{path}: not written by stavis_jax. Give a directory that stavis_jax.convert wrote.")
    version = content.pop("format_version", None)
    if version != FORMAT_VERSION:
        raise UserError(f"{path}: format version {version}, this program reads {FORMAT_VERSION}. Update stavis_jax.")
    try:
        return WeightsInfo(**{name: value for name, value in content.items() if name != "sha256"}), content["sha256"]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: damaged ({error}). Convert or train again.") from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__


def _is_empty(directory: Path) -> bool:
    return directory.is_dir() and not any(directory.iterdir())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
