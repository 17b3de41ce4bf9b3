"""The project's own weight format: DIR/weights.safetensors holds the arrays, DIR/stavis.json describes them.

Untrusted safetensors files are safe to read, because they hold only data and never run code. All frameworks read them.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import safetensors
import safetensors.numpy

from data_pipelines.runtime import atomic
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.folders import is_free
from data_pipelines.runtime.json_files import read_object
from data_pipelines.runtime.limits import LARGEST_SIZE
from data_pipelines.runtime.regular_files import require_regular
from stavis_jax.models.resnet3d import ShortcutType
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.weights.checkpoint_kinds import Architecture, Kind
from stavis_jax.weights.flat_names import Weights
from stavis_jax.weights.float_arrays_file import read_floats

INFO_FILE = "stavis.json"
ARRAYS_FILE = "weights.safetensors"
FORMAT = "stavis_jax weights"
FORMAT_VERSION = 1
ADVICE = "Convert or train again."


@dataclasses.dataclass(frozen=True)
class WeightsInfo:
    """Describes a set of arrays.

    Attributes:
      kind: the network that they belong to.
      variant: the system to run by default; None for a backbone.
      depth: depth of the 3D ResNet; None for SoundNet.
      shortcut: shortcut type of the 3D ResNet; None for SoundNet.
      size: height and width of the clips they were trained on, pixels.
      source: name of the .pth file or of the training run.
      epoch: the epoch that a training would continue with, as the authors' files count.
      batches_tracked: num_batches_tracked of each BatchNorm, which only PyTorch keeps; None if the file had none.
    """

    kind: Kind = "stavis"
    variant: str | None = None
    depth: int | None = None
    shortcut: ShortcutType | None = None
    size: int = 112
    source: str = ""
    epoch: int | None = None
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
        """Describes a network's own arrays; takes kind, variant, depth and shortcut from its config."""
        return cls("stavis", config.variant, config.depth, config.shortcut, **fields)

    @property
    def architecture(self) -> Architecture:
        return Architecture(self.kind, self.depth, self.shortcut)

    def network_config(self, variant: str | None = None) -> NetworkConfig:
        """Returns the configuration of the arrays' network, or of another variant."""
        given: Any = variant or self.variant, self.depth, self.shortcut  # NetworkConfig refuses None
        return NetworkConfig(*given)


def is_weights_directory(directory: Path) -> bool:
    """Returns whether `save_weights` wrote a directory, which may have been damaged since."""
    return (directory / INFO_FILE).is_file()


def save_weights(directory: Path, weights: Weights, info: WeightsInfo, *, overwrite: bool = False) -> None:
    """Writes arrays and their description to a directory, whole or not at all. Call it on one host only.

    Raises:
      UserError: the directory exists and `overwrite` is false, it holds something else, or it cannot be written.
    """
    directory = Path(directory).absolute()
    if directory.exists() and not overwrite:
        raise UserError(f"{directory}: exists already. Give another directory or delete it first.")
    if not (is_free(directory) or is_weights_directory(directory)):
        raise UserError(
            f"{directory}: is not a converted checkpoint, so it is not overwritten. Give another directory."
        )
    try:
        with atomic.temporary_folder_beside(directory) as aside:
            new = aside / "new"
            new.mkdir()
            arrays = {name: np.ascontiguousarray(array) for name, array in weights.items()}
            safetensors.numpy.save_file(arrays, new / ARRAYS_FILE)
            (new / ARRAYS_FILE).chmod(0o666 & new.stat().st_mode)  # safetensors leaves it readable for its owner only
            header = {"format": FORMAT, "format_version": FORMAT_VERSION, "sha256": _sha256(new / ARRAYS_FILE)}
            (new / INFO_FILE).write_text(json.dumps(header | dataclasses.asdict(info), indent=2) + "\n")
            atomic.replace_folder(new, directory)
    except (OSError, safetensors.SafetensorError) as error:  # SafetensorError on a full disk
        reason = getattr(error, "strerror", None) or _first_line(error)
        raise UserError(f"{directory}: cannot be written ({reason}). Give another one.") from error


def read_weights(directory: Path, advice: str = ADVICE) -> tuple[Weights, WeightsInfo]:
    """Reads a directory that `save_weights` wrote: float32 arrays on the host, and their description.

    Arrays may be stored as float16. They cannot be written to, so that a model uses their memory in place.

    Args:
      directory: the directory.
      advice: what to do if it is damaged; ends the error.

    Raises:
      UserError: the directory does not exist, is something else or is damaged.
    """
    directory = Path(directory).absolute()
    info, sha256 = _read_description(directory, advice)
    path = directory / ARRAYS_FILE
    try:
        is_intact = _sha256(path) == sha256
        weights = read_floats(path) if is_intact else {}
    except UserError as error:
        raise UserError(f"{error}. {advice}") from error
    except (OSError, safetensors.SafetensorError) as error:
        raise UserError(f"{path}: cannot be read ({_first_line(error)}). {advice}") from error
    if not is_intact:
        raise UserError(f"{path}: damaged (its checksum has changed). {advice}")
    return weights, info


def read_info(directory: Path) -> WeightsInfo:
    """Reads the description alone. Raises UserError as `read_weights` does."""
    return _read_description(directory)[0]


def _read_description(directory: Path, advice: str = ADVICE) -> tuple[WeightsInfo, str]:
    """Returns the description, and the SHA-256 of the arrays' file."""
    path = Path(directory) / INFO_FILE
    if not path.is_file():
        raise UserError(
            f"{directory}: not a converted checkpoint, it has no {INFO_FILE}. "
            "Give a directory that `python -m stavis_jax.convert` wrote."
        )
    content = read_object(path, advice)
    if content.pop("format", None) != FORMAT:
        raise UserError(f"{path}: not written by stavis_jax. Give a directory that stavis_jax.convert wrote.")
    version = content.pop("format_version", None)
    if version != FORMAT_VERSION:
        raise UserError(f"{path}: format version {version}, this program reads {FORMAT_VERSION}. Update stavis_jax.")
    try:
        return WeightsInfo(**{name: value for name, value in content.items() if name != "sha256"}), content["sha256"]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: damaged ({error}). {advice}") from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__


def _sha256(path: Path) -> str:
    require_regular(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
