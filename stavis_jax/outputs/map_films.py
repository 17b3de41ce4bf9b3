"""Outputs `overlay` and `grey`: saliency maps as films."""

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from data_pipelines.drawing.mp4_film import even, mp4_writer
from data_pipelines.films.film import Film, Picture
from stavis_jax.maps.pictures import saliency_picture
from stavis_jax.outputs.frame_writer import WriteFrame
from stavis_jax.outputs.options import OutputOptions
from stavis_jax.outputs.panes import PaneGrid
from stavis_jax.prediction.frame_prediction import FramePrediction


@contextlib.contextmanager
def overlay_film(path: Path, film: Film, options: OutputOptions) -> Iterator[WriteFrame]:
    """Writes overlay.mp4: the film with heat over it, and its sound. Pictures and sound keep their times.

    H.264 needs even sizes, so an odd width or height shrinks by one pixel. All pictures get the size of the first.
    """
    grid = PaneGrid((film.width, film.height), options)
    with mp4_writer(path, film.frame_rate_hz, film.sound_path, film.start_seconds, film.pixel_aspect) as add:

        def write(prediction: FramePrediction, picture: Picture | None) -> None:
            assert picture, "this output needs pictures"
            add(grid.draw(picture.pixels, prediction), picture.seconds, picture.duration_seconds)

        yield write


@contextlib.contextmanager
def grey_film(path: Path, film: Film, options: OutputOptions) -> Iterator[WriteFrame]:
    """Writes grey.mp4: a silent grey film of the maps, each at its frame's time and stretched to its own range.

    An odd width or height shrinks by one pixel.
    """
    size = options.size_of_maps(film)
    with mp4_writer(path, film.frame_rate_hz, pixel_aspect=film.pixel_aspect if size else Fraction(1)) as add:

        def write(prediction: FramePrediction, _: Picture | None) -> None:
            even_size = even(size or prediction.saliency.shape[::-1])
            add(saliency_picture(prediction.saliency, even_size), prediction.seconds)

        yield write
