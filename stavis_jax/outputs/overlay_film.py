"""The film with its saliency laid over it, and its sound."""

from collections.abc import Sequence
from pathlib import Path

from stavis_jax.maps.overlays import COLORMAP, OPACITY
from stavis_jax.outputs.film_writer import FilmWriter
from stavis_jax.outputs.panes import PaneGrid, View
from stavis_jax.outputs.sinks import PictureReader, ShownFilm
from stavis_jax.prediction.frame_prediction import FramePrediction


class OverlayFilm:
    """overlay.mp4: H.264, with the film's sound as AAC; pictures and sound keep their times.

    An odd width or height shrinks by one pixel, as H.264 needs even ones. A film whose pictures change their size
    midway keeps that of its first.
    """

    def __init__(
        self,
        path: Path,
        film: ShownFilm,
        view: View = "overlay",
        panes: Sequence[str] = (),
        colormap: str = COLORMAP,
        opacity: float = OPACITY,
    ):
        """`panes`: more of them, of panes.EXTRA_PANES. Raises `UserError` if the film's sound cannot be read."""
        self._grid = PaneGrid((film.width, film.height), view, panes, colormap, opacity)
        self._pictures = PictureReader(film)
        self._writer = FilmWriter(path, self._grid.size, film.frame_rate_hz, film.sound_path, film.start_seconds)

    def add(self, prediction: FramePrediction) -> None:
        picture = self._pictures.next()
        if picture is not None:
            drawn = self._grid.draw(picture.pixels, prediction)
            self._writer.add(drawn, picture.seconds, picture.duration_seconds)

    def finish(self) -> None:
        self._pictures.close()
        self._writer.finish()

    def close(self) -> None:
        self._pictures.close()
        self._writer.close()
