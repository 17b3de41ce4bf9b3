"""Reads the saliency maps of a cut of a film, from a folder that `predict` wrote, or predicts them."""

import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib import format as npy_format

from data_pipelines.films.film import Film, film_name, open_film
from data_pipelines.runtime.errors import UserError, reason
from stavis_jax.outputs.folder import SETTINGS, film_size_of, settings_of
from stavis_jax.outputs.registry import OUTPUTS
from stavis_jax.prediction.api import predict_film
from stavis_jax.prediction.protocol import SaliencyModel

MAPS = OUTPUTS["npz"].file_name
LARGEST_SIDE = 4096  # pixels of a map
NETWORK = ("variant", "checkpoint", "stride")  # settings of a prediction on which its maps depend


class TimedMap(NamedTuple):
    """The map of a frame.

    Attributes:
      seconds: time since the first frame.
      saliency: float [S, S].
    """

    seconds: float
    saliency: np.ndarray


@dataclass(frozen=True)
class Cut:
    """A cut.

    Attributes:
      name: of the film.
      film_size: (width, height) in pixels; None if the folder does not tell.
      num_frames: as far as known.
      network: returns the settings of `NETWORK` with which it was predicted, as far as known.
      film: the film; None if there are only its maps.
      maps: yields the map of each frame. It raises UserError if they cannot be read or predicted.
    """

    name: str
    film_size: tuple[int, int] | None
    num_frames: int | None
    maps: Callable[[], Iterator[TimedMap]]
    network: Callable[[], Mapping[str, Any]] = dict
    film: Film | None = None


def open_cut(path: Path, load: Callable[[], SaliencyModel], how: Mapping[str, Any] | None = None) -> Cut:
    """Opens a folder of a prediction that holds maps.npz, or a film, which is predicted when its maps are read.

    Args:
      path: the folder or the film.
      load: loads the network; called when maps have to be predicted.
      how: arguments of `predict_film`.

    Raises:
      UserError: the folder holds a prediction without maps.npz or is part of one, or the film cannot be read.
    """
    how = how or {}
    if (path / SETTINGS).is_file():
        maps = path / MAPS
        if not maps.is_file():
            raise UserError(f"{path}: was predicted without {MAPS}. Predict it with --outputs npz, or give the film.")
        num_frames = _read_seconds(maps).size
        settings = {name: value for name, value in settings_of(path).items() if name in NETWORK}
        return Cut(film_name(path), film_size_of(path), num_frames, lambda: _read_maps(maps), lambda: settings)
    if path.is_dir() and (path.parent / SETTINGS).is_file():
        raise UserError(f"{path}: is a part of a prediction. Give {path.parent}, predicted with --outputs npz.")
    film = open_film(path)

    def predicted() -> Iterator[TimedMap]:
        for prediction in predict_film(film, load(), **how):
            yield TimedMap(prediction.seconds, prediction.saliency)

    def network() -> dict[str, Any]:
        return {"stride": how.get("stride", 1), **load().identity()}

    return Cut(film.name, (film.width, film.height), film.num_frames, predicted, network, film)


def _read_seconds(path: Path) -> np.ndarray:
    try:
        with zipfile.ZipFile(path) as archive, archive.open("seconds.npy") as member:
            return np.asarray(npy_format.read_array(member, allow_pickle=False), np.float64)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error


def _read_maps(path: Path) -> Iterator[TimedMap]:
    """Yields the maps of maps.npz one by one, since all of them may not fit into memory."""
    seconds = _read_seconds(path)
    try:
        with zipfile.ZipFile(path) as archive, archive.open("saliency.npy") as member:
            version = npy_format.read_magic(member)
            read_header = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}[version]
            shape, is_fortran, dtype = read_header(member)
            is_maps = len(shape) == 3 and dtype.kind == "f" and max(shape[1:]) <= LARGEST_SIDE and min(shape) > 0
            if not is_maps or is_fortran or shape[0] != len(seconds):
                raise ValueError(f"it holds {dtype} {list(shape)} for {len(seconds)} times")
            size = shape[1] * shape[2] * dtype.itemsize
            for time in seconds.tolist():
                content = member.read(size)
                if len(content) < size:
                    raise EOFError("it ends early")
                saliency = np.frombuffer(content, dtype).reshape(shape[1:])
                if not np.isfinite(saliency).all():
                    raise ValueError("a map is not finite")
                yield TimedMap(time, saliency)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(f"{path}: damaged ({reason(error)}). Predict the film again with --outputs npz.")
