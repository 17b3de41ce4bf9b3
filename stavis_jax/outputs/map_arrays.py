"""All saliency maps of a film as one array file for NumPy."""

import contextlib
import shutil
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy_format

from stavis_jax.prediction.frame_prediction import FramePrediction

DTYPE = np.dtype("<f2")  # saliency is in [0, 1]: a step of at most 1/2048
COPIED_BYTES = 1 << 20


class NpyMaps:
    """maps.npy: float16 [N, S, S], the values as the network gives them; `np.load(path, mmap_mode="r")` reads any."""

    def __init__(self, path: Path):
        self._file = path.open("wb")
        self._shape: tuple[int, ...] = ()
        self._num_maps = 0

    def add(self, prediction: FramePrediction) -> None:
        if not self._num_maps:
            self._shape = prediction.saliency.shape
            self._write_header()
        self._file.write(prediction.saliency.astype(DTYPE).tobytes())
        self._num_maps += 1

    def finish(self) -> None:
        self._file.seek(0)
        self._write_header()  # of the same length: NumPy leaves room for the first axis to grow
        self._file.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # a full disk
            self._file.close()

    def _write_header(self) -> None:
        shape = (self._num_maps, *self._shape)
        header = {"descr": npy_format.dtype_to_descr(DTYPE), "fortran_order": False, "shape": shape}
        npy_format.write_array_header_1_0(self._file, header)


class NpzMaps:
    """maps.npz: `saliency` float16 [N, S, S], `seconds` float64 [N] since the first frame, `frame_rate_hz` float64 [].

    Not compressed: a network's maps would become smaller by a fifth.
    """

    def __init__(self, path: Path, frame_rate_hz: float):
        self.path, self.frame_rate_hz = path, frame_rate_hz
        # How many maps there are stands first in an array, and is known last: it is put into the archive at the end.
        self._part = path.with_name(f".{path.name}.saliency")
        self._maps = NpyMaps(self._part)
        self._seconds: list[float] = []

    def add(self, prediction: FramePrediction) -> None:
        self._maps.add(prediction)
        self._seconds.append(prediction.seconds)

    def finish(self) -> None:
        self._maps.finish()
        with zipfile.ZipFile(self.path, "w") as archive:
            with self._part.open("rb") as part, _member(archive, "saliency") as member:
                shutil.copyfileobj(part, member, COPIED_BYTES)
            for name, values in (("seconds", self._seconds), ("frame_rate_hz", self.frame_rate_hz)):
                with _member(archive, name) as member:
                    npy_format.write_array(member, np.asarray(values, np.float64))
        self.close()

    def close(self) -> None:
        self._maps.close()
        with contextlib.suppress(OSError):
            self._part.unlink(missing_ok=True)


def _member(archive: zipfile.ZipFile, name: str) -> BinaryIO:
    return archive.open(f"{name}.npy", "w", force_zip64=True)  # its size is not known beforehand
