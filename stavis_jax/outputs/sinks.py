"""What takes a film's predictions frame by frame and writes them down."""

import contextlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np

from stavis_jax.prediction.frame_prediction import FramePrediction


class Sink(Protocol):
    """Writes into a folder that its caller removes if anything fails; its memory does not grow with the film."""

    def add(self, prediction: FramePrediction) -> None:
        """Takes the next frame: numbers 1, 2, 3, ... without gaps."""

    def finish(self) -> None:
        """Called after the last frame; the files are complete afterwards."""

    def close(self) -> None:
        """Lets go of files and decoders, also after a failure. Raises nothing; may be called again."""


class Picture(Protocol):
    """A frame at the film's own size."""

    @property
    def pixels(self) -> np.ndarray:
        """uint8 [H, W, 3], RGB, upright."""

    @property
    def seconds(self) -> Fraction:
        """Since the film's first frame."""

    @property
    def duration_seconds(self) -> Fraction | None:
        """How long it is shown, if the film says so."""


class ShownFilm(Protocol):
    """What sinks need of a film."""

    @property
    def width(self) -> int:
        """Of the first picture, pixels, upright."""

    @property
    def height(self) -> int:
        """Likewise."""

    @property
    def frame_rate_hz(self) -> float:
        """Nominal."""

    @property
    def sound_path(self) -> Path | None:
        """The file with its sound, if it has any."""

    @property
    def start_seconds(self) -> Fraction:
        """When the first picture is shown, on the clock of `sound_path`."""

    def pictures(self) -> Iterator[Picture]:
        """Decodes all frames, those that were predicted, from the first on; independent of other calls."""


class SinkGroup:
    """Several sinks as one."""

    def __init__(self, sinks: Sequence[Sink]):
        self.sinks = tuple(sinks)

    def add(self, prediction: FramePrediction) -> None:
        for sink in self.sinks:
            sink.add(prediction)

    def finish(self) -> None:
        for sink in self.sinks:
            sink.finish()

    def close(self) -> None:
        for sink in self.sinks:
            sink.close()


class PictureReader:
    """The film's pictures one after the other; its decoder is opened by the first and let go of by `close`."""

    def __init__(self, film: ShownFilm):
        self._film = film
        self._pictures: Iterator[Picture] | None = None

    def next(self) -> Picture | None:
        """The next picture; None after the film's end."""
        if self._pictures is None:
            self._pictures = self._film.pictures()
        return next(self._pictures, None)

    def close(self) -> None:
        pictures, self._pictures = self._pictures, iter(())
        with contextlib.suppress(Exception):  # of a decoder that failed before
            if hasattr(pictures, "close"):  # a generator
                pictures.close()
