"""Outputs `overlay` and `grey` of a picture: pictures in place of films."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from data_pipelines.films.film import Film, Picture
from stavis_jax.maps.pictures import saliency_picture
from stavis_jax.outputs.frame_writer import WriteFrame
from stavis_jax.outputs.options import OutputOptions
from stavis_jax.outputs.panes import PaneGrid
from stavis_jax.prediction.frame_prediction import FramePrediction


@contextlib.contextmanager
def overlay_picture(path: Path, film: Film, options: OutputOptions) -> Iterator[WriteFrame]:
    """Writes overlay.png: the picture with heat over it, at its own size."""
    grid = PaneGrid((film.width, film.height), options, even_size=False)

    def write(prediction: FramePrediction, picture: Picture | None) -> None:
        assert picture, "this output needs pictures"
        Image.fromarray(grid.draw(picture.pixels, prediction)).save(path)

    yield write


@contextlib.contextmanager
def grey_picture(path: Path, film: Film, options: OutputOptions) -> Iterator[WriteFrame]:
    """Writes grey.png: the map, stretched from its minimum to its maximum."""
    size = options.size_of_maps(film)

    def write(prediction: FramePrediction, _: Picture | None) -> None:
        Image.fromarray(saliency_picture(prediction.saliency, size)).save(path)

    yield write
