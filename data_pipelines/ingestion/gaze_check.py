"""Draws the gaze over each film, so that a wrong screen or clock is seen before training.

check.mp4 is the film with its sound, the density map as heat, and a dot for each gaze point, in one colour for each
observer. The margin around the picture shows points outside of it; points further away lie on its edge. check.png shows
frames from the beginning to the end. Of a picture, there is check.png alone.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial

import numpy as np
from PIL import Image, ImageDraw

from data_pipelines.drawing.contact_sheet import EvenSamples, cell_size, clock_time, save_sheet
from data_pipelines.drawing.heat import blend
from data_pipelines.drawing.mp4_film import even, mp4_writer
from data_pipelines.drawing.picture_grid import captioned
from data_pipelines.films.film import Film
from data_pipelines.films.still import Still
from data_pipelines.ingestion.gaze_on_frames import FrameGaze
from data_pipelines.raw import layout as raw_layout
from data_pipelines.raw.film_writer import FilmWriter

FILM, SHEET = "check.mp4", "check.png"
HIGHEST = 360  # pixels; higher frames are scaled down
SHEET_FRAMES = 12
MARGIN = 1 / 8  # of each side, around the picture
HEAT_OPACITY = 0.45
MANY = 60  # points on a frame; more are drawn smaller
MARGIN_GREY = 70  # level
OUTSIDE = (255, 60, 60)
# Bright and apart from each other and from the heat's black, purple, orange and yellow.
COLOURS = ((0, 230, 255), (80, 255, 80), (255, 255, 255), (90, 150, 255), (255, 120, 255), (0, 200, 140), (180, 255, 0))


def write_check(
    writer: FilmWriter, film: Film, gaze: FrameGaze, seconds: Sequence[Fraction], frame_size: tuple[int, int]
) -> None:
    """Writes check.mp4 and check.png beside the annotations of a film, from the frames and maps that were written.

    Of a still, writes check.png alone.

    Args:
      writer: writes the film's files.
      film: the film, for its sound.
      gaze: its gaze.
      seconds: time of each frame since the first one.
      frame_size: (width, height) of the frames written.
    """
    folder = writer.layout.annotation_folder(writer.database, writer.name)
    width, height = frame_size[0] * float(film.pixel_aspect), frame_size[1]
    scale = min(1.0, HIGHEST / height)
    canvas = _Canvas(frame_size, (max(1, round(width * scale)), max(1, round(height * scale))))
    sheet = _Canvas(frame_size, cell_size(width, height))
    samples: EvenSamples[np.ndarray] = EvenSamples(SHEET_FRAMES)
    decimals = 1 if seconds[-1] >= SHEET_FRAMES / 10 else 2
    sound_path = film.sound_path
    names = {name: place for place, name in enumerate(np.unique(gaze.observers.astype(str)))}
    observers = np.array([names[str(name)] for name in gaze.observers], int)
    drawn = zip(
        _of_frames(gaze.frames, len(seconds)), _of_frames(gaze.outside_frames, len(seconds)), seconds, strict=True
    )

    def frames() -> Iterator[tuple[int, Fraction, tuple]]:
        """Yields number and time of each frame, and what is to be drawn."""
        for number, (inside, outside, time) in enumerate(drawn, start=1):
            frame = raw_layout.read_frame(writer.layout.frame_path(writer.database, writer.name, number))
            density = raw_layout.read_density(writer.layout.density_path(writer.database, writer.name, number))
            points, beside = gaze.points[inside] + 0.5, gaze.outside_points[outside]
            caption = f"{len(points)} in, {len(beside)} out"
            if not isinstance(film, Still):
                caption = f"{clock_time(float(time), decimals)}  {caption}"
            yield number, time, (frame, density, points, observers[inside], beside, caption)

    if isinstance(film, Still):
        ((_, _, shown),) = frames()
        Image.fromarray(canvas.draw(*shown)).save(folder / SHEET)
        return
    with mp4_writer(folder / FILM, film.frame_rate_hz, sound_path, film.start_seconds) as add:
        for number, time, shown in frames():
            add(canvas.draw(*shown), time)
            samples.add(number, partial(sheet.draw, *shown))
    save_sheet(folder / SHEET, samples.middles())


def _of_frames(frames: np.ndarray, num_frames: int) -> Iterator[np.ndarray]:
    """Yields the positions in `frames`, int [N] from 1, of each frame."""
    order = np.argsort(frames, kind="stable")
    bounds = np.searchsorted(frames[order], np.arange(1, num_frames + 2))
    for number in range(num_frames):
        yield order[bounds[number] : bounds[number + 1]]


class _Canvas:
    """A frame with a margin around it."""

    def __init__(self, frame_size: tuple[int, int], picture_size: tuple[int, int]):
        """`frame_size`, `picture_size`: (width, height) in pixels of frames, and of frames on the canvas."""
        (width, height), self._picture = picture_size, picture_size
        self._scale = np.array(picture_size) / np.array(frame_size)
        self._margin = max(4, round(MARGIN * width)), max(4, round(MARGIN * height))
        self._size = even((width + 2 * self._margin[0] + 1, height + 2 * self._margin[1] + 1))

    def draw(
        self,
        frame: np.ndarray,
        density: np.ndarray,
        points: np.ndarray,
        observers: np.ndarray,
        outside: np.ndarray,
        caption: str,
    ) -> np.ndarray:
        """Returns a picture, uint8 [h, w, 3].

        Args:
          frame: uint8 [H, W, 3].
          density: uint8 [H, W].
          points: float64 [N, 2], (x, y) in pixels of the frame.
          observers: number of the observer of each point, int [N].
          outside: points outside the picture, float64 [M, 2].
          caption: text in the upper left corner.
        """
        small = np.asarray(Image.fromarray(frame).resize(self._picture, Image.Resampling.BILINEAR))
        heat = np.asarray(Image.fromarray(density).resize(self._picture, Image.Resampling.BILINEAR))
        canvas = Image.new("RGB", self._size, (MARGIN_GREY,) * 3)
        canvas.paste(Image.fromarray(blend(small, heat, opacity=HEAT_OPACITY)), self._margin)
        pencil = ImageDraw.Draw(canvas)
        few = len(points) + len(outside) <= MANY
        radius = max(3.0, self._picture[1] / 55) if few else max(1.5, self._picture[1] / 150)
        colours = [COLOURS[observer % len(COLOURS)] for observer in observers] + [OUTSIDE] * len(outside)
        for (x, y), colour in zip(self._places(np.concatenate([points, outside])), colours, strict=True):
            pencil.ellipse((x - radius, y - radius, x + radius, y + radius), colour, (0, 0, 0) if few else None)
        return captioned(np.asarray(canvas), caption)

    def _places(self, points: np.ndarray) -> list[list[float]]:
        """Returns points of the frame as points of the canvas, moved to its edge if they are beyond it."""
        return np.clip(points * self._scale + self._margin, 0, np.array(self._size) - 1).tolist()
