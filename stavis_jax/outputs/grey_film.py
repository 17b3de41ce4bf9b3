"""Saliency maps as a film of their own."""

from pathlib import Path

from stavis_jax.maps.pictures import saliency_picture
from stavis_jax.outputs.film_writer import FilmWriter, even
from stavis_jax.prediction.frame_prediction import FramePrediction


class GreyFilm:
    """grey.mp4: the maps as a silent grey film, each at its frame's time, stretched from its minimum to its maximum.

    An odd width or height shrinks by one pixel, as H.264 needs even ones.
    """

    def __init__(self, path: Path, frame_rate_hz: float, size: tuple[int, int] | None = None):
        """`size`: (width, height) in pixels; by default the maps' own."""
        self.path, self.frame_rate_hz, self.size = path, frame_rate_hz, size
        self._writer: FilmWriter | None = None

    def add(self, prediction: FramePrediction) -> None:
        size = even(self.size or prediction.saliency.shape[::-1])
        if self._writer is None:
            self._writer = FilmWriter(self.path, size, self.frame_rate_hz)
        self._writer.add(saliency_picture(prediction.saliency, size), prediction.seconds)

    def finish(self) -> None:
        if self._writer:
            self._writer.finish()

    def close(self) -> None:
        if self._writer:
            self._writer.close()
