"""Writes compare.mp4: two cuts side by side, each with its heat, at the same times."""

import contextlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from data_pipelines.drawing.heat import blend
from data_pipelines.drawing.mp4_film import even, mp4_writer
from data_pipelines.drawing.picture_grid import BACKGROUND, captioned
from data_pipelines.films.film import Film, Picture
from stavis_jax.maps.pictures import saliency_picture
from stavis_jax.outputs.panes import GAP, LARGEST, fitted
from stavis_jax.prediction.read_ahead import read_ahead

PICTURES_AHEAD = 4
SAME_SECONDS = Fraction(1, 200)  # frames of both cuts that are no further apart are shown together


def pane_sizes(films: Sequence[Film]) -> list[tuple[int, int]]:
    """Returns the (width, height) in pixels of each film's pane: even, square pixels, all of one height.

    It is the height of the higher film, unless all panes together would be larger than `LARGEST`.
    """
    height = Fraction(max(film.height for film in films))
    widths = [film.width * film.pixel_aspect * height / film.height for film in films]
    scale = min(1, LARGEST[1] / height, (LARGEST[0] - GAP * (len(films) - 1)) / sum(widths))
    return [even((int(width * scale), round(height * scale))) for width in widths]


class _Pane:
    """One of the films. It shows its newest frame, and is dark after its end.

    Attributes:
      shown: what it shows, uint8 [height, width, 3].
      coming: the next frame; None after the last one.
    """

    def __init__(
        self,
        pictures: Iterator[Picture],
        maps: Iterable[np.ndarray],
        size: tuple[int, int],
        caption: str,
        step_seconds: Fraction,
    ):
        self._pictures, self._maps, self._size, self._caption = pictures, iter(maps), size, caption
        self._step_seconds, self._end = step_seconds, Fraction(0)
        self._dark = captioned(np.zeros((size[1], size[0], 3), np.uint8), caption)
        self._heat = np.zeros((1, 1), np.uint8)
        self.shown, self.coming = self._dark, next(pictures, None)

    def show(self, seconds: Fraction) -> None:
        """Shows the frame of this time, if there is one."""
        if self.coming is None:
            self.shown = self._dark if seconds + SAME_SECONDS >= self._end else self.shown
        elif self.coming.seconds <= seconds + SAME_SECONDS:
            self._heat = next(self._maps, self._heat)
            heated = blend(fitted(self.coming.pixels, self._size), saliency_picture(self._heat, self._size))
            self.shown = captioned(heated, self._caption)
            self._end = self.coming.seconds + (self.coming.duration_seconds or self._step_seconds)
            self.coming = next(self._pictures, None)


def write_compare_film(
    path: Path, films: Sequence[Film], maps: Sequence[Iterable[np.ndarray]], captions: Sequence[str]
) -> Generator[Fraction]:
    """Writes films side by side, each with its heat and caption, and yields the time of each frame.

    There is a frame whenever a film has one, so every frame of every film is seen. A film that has ended is dark. The
    sound is that of the first film.

    Args:
      path: the film to write.
      films: the films.
      maps: the maps of their frames, [S, S].
      captions: of the panes.

    Raises:
      UserError: a film or its sound cannot be read.
    """
    sizes, first = pane_sizes(films), films[0]
    rate_hz = max(film.frame_rate_hz for film in films)
    with contextlib.ExitStack() as opened:
        panes = []
        for film, of_film, size, caption in zip(films, maps, sizes, captions, strict=True):
            pictures = opened.enter_context(contextlib.closing(film.pictures()))
            ahead = opened.enter_context(contextlib.closing(_ahead(pictures)))
            panes.append(_Pane(ahead, of_film, size, caption, 1 / film.nominal_rate_hz))
        add = opened.enter_context(mp4_writer(path, rate_hz, first.sound_path, first.start_seconds))
        between = np.full((sizes[0][1], GAP, 3), BACKGROUND, np.uint8)
        while coming := [pane.coming for pane in panes if pane.coming]:
            picture = min(coming, key=lambda picture: picture.seconds)
            for pane in panes:
                pane.show(picture.seconds)
            parts = [part for pane in panes for part in (between, pane.shown)][1:]
            add(np.concatenate(parts, axis=1), picture.seconds, picture.duration_seconds)
            yield picture.seconds


def _ahead(pictures: Iterator[Picture]) -> Generator[Picture]:
    yield from read_ahead(pictures, PICTURES_AHEAD)
