"""Output `roi`: writes maps that tell SVT-AV1, kvazaar and FFmpeg where to spend bits."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_pipelines.films.encoded_film import first_picture_seconds
from data_pipelines.films.film import Film, Picture
from stavis_jax.maps.attention import attention_mass
from stavis_jax.maps.binned_means import BinnedMeans
from stavis_jax.outputs.encoders.qp_offsets import BlockGrid, qp_offsets
from stavis_jax.outputs.encoders.roi_boxes import Stretch, filter_script, roi_boxes
from stavis_jax.outputs.frame_writer import WriteFrame
from stavis_jax.outputs.options import OutputOptions
from stavis_jax.prediction.frame_prediction import FramePrediction

SVT_AV1, KVAZAAR, FFMPEG = FILES = ("svt-av1.txt", "kvazaar.txt", "ffmpeg.txt")
AV1_STEPS_PER_QP = 5  # of 255; the step of AV1 doubles after 30 to 40 of them, that of HEVC after 6 of 51
AV1_STEP = 2  # QP; AV1 has at most eight levels in a frame
STRETCH_SECONDS, MOST_STRETCHES = 1, 256


@contextlib.contextmanager
def encoder_maps(path: Path, film: Film, options: OutputOptions) -> Iterator[WriteFrame]:
    """Writes path/svt-av1.txt, path/kvazaar.txt and path/ffmpeg.txt; docs/encoders.md describes them.

    The first two have `qp_offsets` of blocks of 64x64 pixels for every frame. The third has `roi_boxes` for stretches
    of a second, or of more in long films.
    """
    grid = BlockGrid((film.width, film.height))
    stretches = BinnedMeans(max(1, round(film.frame_rate_hz * STRETCH_SECONDS)), MOST_STRETCHES)
    seconds: dict[int, float] = {}  # of the frames that may begin a stretch
    path.mkdir()
    with contextlib.ExitStack() as opened:
        svt, kvazaar = (opened.enter_context((path / name).open("w", encoding="ascii")) for name in (SVT_AV1, KVAZAAR))
        last = ""

        def write(prediction: FramePrediction, _: Picture | None) -> None:
            nonlocal last
            density = grid.density(attention_mass(prediction.saliency))
            stretches.add(density)
            if (prediction.number - 1) % stretches.frames_per_bin == 0:
                seconds[prediction.number - 1] = prediction.seconds
            rows = "\n".join(map(_numbers, qp_offsets(density, grid.area)))
            kvazaar.write(f"{grid.shape[1]} {grid.shape[0]}\n{rows}\n")
            levels = _numbers(AV1_STEPS_PER_QP * qp_offsets(density, grid.area, AV1_STEP).ravel())
            if levels != last:  # they stay until the next line
                svt.write(f"{prediction.number - 1} {levels}\n")
                last = levels

        yield write
    begins = float(first_picture_seconds(film))
    parts = [
        Stretch(part.first, begins + seconds[part.first], roi_boxes(qp_offsets(part.mean, grid.area), grid))
        for part in stretches.bins()
    ]
    (path / FFMPEG).write_text(filter_script(parts), encoding="ascii")


def _numbers(values: np.ndarray) -> str:
    return " ".join(map(str, values.tolist()))
