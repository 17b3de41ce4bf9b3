"""Output `contact-sheet`: frames from the beginning to the end of a film, each with its time and its overlay."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from data_pipelines.drawing.contact_sheet import EvenSamples, cell_size, clock_times, save_sheet
from data_pipelines.drawing.heat import blend
from data_pipelines.drawing.picture_grid import captioned
from data_pipelines.films.film import Film, Picture
from stavis_jax.maps.pictures import saliency_picture
from stavis_jax.outputs.frame_writer import WriteFrame
from stavis_jax.outputs.options import OutputOptions
from stavis_jax.prediction.frame_prediction import FramePrediction


@contextlib.contextmanager
def contact_sheet(path: Path, film: Film, options: OutputOptions) -> Iterator[WriteFrame]:
    """Writes contact-sheet.png: the middle frames of equal parts of the film, with overlays below or beside them."""
    size = cell_size(film.width * film.pixel_aspect, film.height)
    samples: EvenSamples[tuple[float, np.ndarray, np.ndarray]] = EvenSamples(options.sheet_frames)

    def write(prediction: FramePrediction, picture: Picture | None) -> None:
        assert picture, "this output needs pictures"
        samples.add(prediction.number, lambda: _cell(prediction, picture, size, options))

    yield write
    seconds, frames, overlays = zip(*samples.middles(), strict=True)
    axis = 0 if size[0] >= size[1] else 1  # overlays are below frames, or (if upright) beside them
    shown = zip(clock_times(seconds), frames, overlays, strict=True)
    save_sheet(path, [np.concatenate([captioned(frame, time), overlay], axis) for time, frame, overlay in shown])


def _cell(
    prediction: FramePrediction, picture: Picture, size: tuple[int, int], options: OutputOptions
) -> tuple[float, np.ndarray, np.ndarray]:
    """Returns the time of a frame, the frame at (width, height) pixels and its overlay."""
    frame = np.asarray(Image.fromarray(picture.pixels).resize(size, Image.Resampling.LANCZOS))
    overlay = blend(frame, saliency_picture(prediction.saliency, size), options.colormap, options.opacity)
    return prediction.seconds, frame, overlay
