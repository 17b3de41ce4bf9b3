"""Output `scanpath`: draws recorded fixations over the film. Each observer is a dot with a trail of one second."""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from data_pipelines.drawing.mp4_film import even, mp4_writer
from data_pipelines.films.film import Film, Picture
from data_pipelines.ingestion.gaze import GazeTable
from data_pipelines.ingestion.gaze_check import COLOURS
from stavis_jax.outputs.frame_writer import WriteFrame
from stavis_jax.outputs.options import OutputOptions
from stavis_jax.outputs.panes import fitted
from stavis_jax.prediction.frame_prediction import FramePrediction

TRAIL_SECONDS = 1.0
DOT = 1 / 45  # radius of the current dot, in heights of the picture; dots of the trail are half as large
LEAST_DOT = 3  # pixels
OUTLINE = (0, 0, 0)
LEAST_SEEN = 0.8  # of the gaze; a smaller share is a warning

_log = logging.getLogger(__name__)


class Scanpath:
    """The gaze of one table, in the order of its times, in pixels of the film."""

    def __init__(self, table: GazeTable, film: Film):
        conventions, film_size = table.conventions, (film.width, film.height)
        x, y = conventions.viewing.on_film(
            table.x, table.y, conventions.units or "pixels", film_size, float(film.pixel_aspect)
        )
        order = np.argsort(table.starts, kind="stable")
        self._frames_per_unit = 1.0 if table.counts_frames else film.frame_rate_hz
        self._counts_frames = table.counts_frames
        scale = film.frame_rate_hz / self._frames_per_unit  # units in a second
        self._starts = table.starts[order]
        self._ends = self._starts + table.durations[order] * scale
        self._trail = TRAIL_SECONDS * scale
        self._longest = float((self._ends - self._starts).max(initial=0.0))
        self._points = np.stack([x, y], axis=1)[order]
        self._is_inside = ((self._points >= 0) & (self._points <= film_size)).all(axis=1)
        self._observers = table.observer[order]

    def shown(self, number: int, seconds: float) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yields (observer, trail, current) of a frame: points (x, y), float [N, 2], the oldest first.

        A fixation is current while it lasts, a sample on the frame of its time. The trail is of the second before, and
        ends in the current points.
        """
        now = float(number) if self._counts_frames else seconds
        end = now + 1 / self._frames_per_unit
        first, last = np.searchsorted(self._starts, (now - self._trail - self._longest, end - 1e-6))
        rows = np.arange(first, last)
        is_current = (self._ends[rows] > now) | (self._starts[rows] >= now - 1e-6)
        recent = is_current | (self._ends[rows] > now - self._trail)
        for observer in np.unique(self._observers[rows[recent]]):
            of_observer = self._observers[rows] == observer
            trail, current = rows[of_observer & recent], rows[of_observer & is_current]
            yield int(observer), self._points[trail], self._points[current]

    def seen(self, number: int, seconds: float) -> np.ndarray:
        """Returns which points are within the picture and no later than the last frame: bool [N].

        Args:
          number: of the last frame, from 1.
          seconds: its time.
        """
        end = (number if self._counts_frames else seconds) + 1 / self._frames_per_unit
        first = 1 if self._counts_frames else 0
        return self._is_inside & (self._starts < end) & (np.maximum(self._starts, self._ends) >= first)


@contextlib.contextmanager
def scanpath_film(path: Path, film: Film, options: OutputOptions) -> Iterator[WriteFrame]:
    """Writes scanpath.mp4: the film with its sound, and recorded gaze over it.

    An odd width or height shrinks by one pixel. Gaze outside of the picture is not seen. A warning says if that is
    much, as of a wrong unit or screen.
    """
    assert options.gaze, "checked by `check_outputs`"
    scanpaths = [Scanpath(table, film) for table in options.gaze.of(film)]
    size = even((film.width, film.height))
    with mp4_writer(path, film.frame_rate_hz, film.sound_path, film.start_seconds, film.pixel_aspect) as add:
        number, seconds = 0, 0.0

        def write(prediction: FramePrediction, picture: Picture | None) -> None:
            nonlocal number, seconds
            assert picture, "this output needs pictures"
            number, seconds = prediction.number, float(picture.seconds)
            drawn = _draw(fitted(picture.pixels, size), scanpaths, number, seconds)
            add(drawn, picture.seconds, picture.duration_seconds)

        yield write
    seen = np.concatenate([scanpath.seen(number, seconds) for scanpath in scanpaths])
    if len(seen) and seen.mean() < LEAST_SEEN:
        advice = "Check the unit of its times and positions (--units, --screen)."
        _log.warning(
            "%s: %.0f%% of its gaze is within the picture and the film. %s", film.path, 100 * seen.mean(), advice
        )


def _draw(picture: np.ndarray, scanpaths: Sequence[Scanpath], number: int, seconds: float) -> np.ndarray:
    """Returns a picture uint8 [H, W, 3] with the gaze of a frame over it."""
    image = Image.fromarray(picture)
    pencil = ImageDraw.Draw(image)
    radius = max(LEAST_DOT, image.height * DOT)
    for table, scanpath in enumerate(scanpaths):
        for observer, trail, current in scanpath.shown(number, seconds):
            colour = COLOURS[(table + observer) % len(COLOURS)]
            pencil.line(trail.ravel().tolist(), colour, max(1, round(radius / 4)))
            for points, size in ((trail, radius / 2), (current, radius)):
                for x, y in points.tolist():
                    pencil.ellipse((x - size, y - size, x + size, y + size), colour, OUTLINE)
    return np.asarray(image)
