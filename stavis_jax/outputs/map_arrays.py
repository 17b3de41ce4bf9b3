"""Outputs `npy` and `npz`: all saliency maps of a film in one file for NumPy."""

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.lib import format as npy_format

from data_pipelines.films.film import Film, Picture
from stavis_jax.outputs.frame_writer import WriteFrame
from stavis_jax.outputs.options import OutputOptions
from stavis_jax.prediction.frame_prediction import FramePrediction

DTYPE = np.dtype("<f2")  # steps of at most 1/2048 in [0, 1]


@contextlib.contextmanager
def npy_maps(path: Path, film: Film | None, options: OutputOptions | None) -> Iterator[WriteFrame]:
    """Writes maps.npy: float16 [N, S, S] in [0, 1], as the network computes them.

    `np.load(path, mmap_mode="r")` reads parts of it.
    """
    shape = (0,)
    with path.open("wb") as file:

        def write_header() -> None:
            header = {"descr": npy_format.dtype_to_descr(DTYPE), "fortran_order": False, "shape": shape}
            npy_format.write_array_header_1_0(file, header)

        def write(prediction: FramePrediction, _: Picture | None) -> None:
            nonlocal shape
            shape = (shape[0] + 1, *prediction.saliency.shape)
            if shape[0] == 1:
                write_header()
            file.write(prediction.saliency.astype(DTYPE).tobytes())

        yield write
        file.seek(0)
        write_header()  # has the same length: NumPy leaves room for the first axis to grow


@contextlib.contextmanager
def npz_maps(path: Path, film: Film, options: OutputOptions | None) -> Iterator[WriteFrame]:
    """Writes maps.npz: `saliency` as in maps.npy, `seconds` float64 [N] since the first frame, `frame_rate_hz` float64.

    The file is not compressed, which would shrink it by only 20%.
    """
    seconds = []
    part = path.with_name(f".{path.name}.saliency")  # an archive needs the number of maps before the first map
    try:
        with npy_maps(part, None, None) as write_map:

            def write(prediction: FramePrediction, picture: Picture | None) -> None:
                write_map(prediction, picture)
                seconds.append(prediction.seconds)

            yield write
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(part, "saliency.npy")
            for name, values in (("seconds", seconds), ("frame_rate_hz", film.frame_rate_hz)):
                with archive.open(f"{name}.npy", "w") as member:
                    np.save(member, np.asarray(values, np.float64))
    finally:
        part.unlink(missing_ok=True)
