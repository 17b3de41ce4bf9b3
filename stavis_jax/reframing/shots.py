"""Finds the frames of a film that begin a new shot. Flashes, pans and noise are not taken for cuts."""

from collections import deque
from dataclasses import dataclass

import numpy as np
from PIL import Image

THUMBNAIL = 14  # pixels a side, of the frames whose pixels are compared
BITS = 3  # of each colour in the histogram
LEAST_DIFFERENCE = 0.3  # between the frames of a cut, in [0, 1]
TIMES_USUAL = 3.0  # the difference at a cut, over the median of those around it
AROUND_SECONDS = 0.5  # before and after a frame: what is usual there
FLASH_SECONDS = 0.25  # a film that looks as before after this time has seen a flash
MOST_FLASH_FRAMES = 16  # kept, whatever the frame rate
FLASH_RETURN = 0.5  # the difference of frames before and after a flash, over that of the frames at its edge
SMALLEST_DEVIATION = 2.0  # of 255; a thumbnail with less contrast has no pattern to compare


@dataclass(frozen=True)
class _Look:
    """Features of a frame.

    Attributes:
      histogram: colour histogram of sum 1.
      thumbnail: grey thumbnail of mean 0 and norm 1, or zeros if it has too little contrast.
      seconds: time of the frame.
    """

    histogram: np.ndarray
    thumbnail: np.ndarray
    seconds: float


class CutDetector:
    """Takes the frames of a film in order and finds its cuts. Keeps a quarter of a second of frames.

    The difference of two frames is the mean of two numbers in [0, 1]: half the L1 distance of their colour histograms,
    which ignores motion, and one minus the correlation of their thumbnails, which ignores brightness. A frame begins a
    shot if its difference from the frame before is at least `LEAST_DIFFERENCE`, at least `TIMES_USUAL` times the median
    around it, and the largest within `FLASH_SECONDS`. If a frame shortly after resembles those before, it was a flash.
    """

    def __init__(self) -> None:
        self._looks: deque[_Look] = deque()  # the newest frames
        self._seconds: list[float] = []
        self._differences: list[float] = []  # of each frame from the one before
        self._returns: list[float] = []  # the smallest difference of frames before it from frames soon after it

    def add(self, picture: np.ndarray, seconds: float) -> None:
        """Adds the next frame: uint8 [S, S, 3], RGB, downscaled; and its time in seconds."""
        look = _look(picture, seconds)
        while len(self._looks) > 1 and (
            seconds - self._looks[1].seconds > FLASH_SECONDS or len(self._looks) > MOST_FLASH_FRAMES
        ):
            self._looks.popleft()
        self._seconds.append(seconds)
        self._differences.append(_difference(self._looks[-1], look) if self._looks else 0.0)
        self._returns.append(1.0)
        self._note_returns(look)
        self._looks.append(look)

    def shot_starts(self) -> list[int]:
        """Returns the index of the first frame of each shot, from 0."""
        if not self._seconds:
            return []
        seconds, differences = np.array(self._seconds), np.array(self._differences)
        starts = [0]
        for index in np.flatnonzero(differences >= LEAST_DIFFERENCE).tolist():
            near = _within(seconds, index, FLASH_SECONDS)
            around = np.delete(differences[(w := _within(seconds, index, AROUND_SECONDS))], index - w.start)
            around = around[1:] if w.start == 0 else around  # the film's first frame has no difference
            usual = float(np.median(around)) if len(around) else 0.0
            is_largest = index == near.start + int(differences[near].argmax())
            is_flash = self._returns[index] < FLASH_RETURN * differences[index]
            if is_largest and not is_flash and differences[index] >= TIMES_USUAL * usual:
                starts.append(index)
        return starts

    def _note_returns(self, look: _Look) -> None:
        """Compares the newest frame with earlier ones: those in between may belong to a flash."""
        newest = len(self._seconds) - 1
        oldest = newest - len(self._looks)
        for place, earlier in enumerate(list(self._looks)[:-1], start=oldest):
            difference = _difference(earlier, look)
            for edge in (place + 1, newest):  # where the flash between both would begin, and where it would end
                self._returns[edge] = min(self._returns[edge], difference)


def _look(picture: np.ndarray, seconds: float) -> _Look:
    levels = (picture[::2, ::2] >> (8 - BITS)).reshape(-1, 3).astype(np.intp)
    bins = (levels[:, 0] << (2 * BITS)) | (levels[:, 1] << BITS) | levels[:, 2]
    histogram = np.bincount(bins, minlength=1 << (3 * BITS)).astype(np.float32) / len(bins)
    grey = Image.fromarray(picture).convert("L").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    thumbnail = np.asarray(grey, np.float32).ravel()
    thumbnail = thumbnail - thumbnail.mean()
    deviation = float(thumbnail.std())
    norm = np.sqrt(thumbnail.size) * deviation
    thumbnail = thumbnail / norm if deviation >= SMALLEST_DEVIATION else np.zeros_like(thumbnail)
    return _Look(histogram, thumbnail, seconds)


def _difference(one: _Look, other: _Look) -> float:
    colours = float(np.abs(one.histogram - other.histogram).sum()) / 2
    has_patterns = one.thumbnail.any() and other.thumbnail.any()
    pattern = min(1.0, 1.0 - float(one.thumbnail @ other.thumbnail)) if has_patterns else colours
    return (colours + pattern) / 2


def _within(seconds: np.ndarray, index: int, span: float) -> slice:
    """Returns the frames within `span` seconds of a frame."""
    first, last = np.searchsorted(seconds, [seconds[index] - span - 1e-9, seconds[index] + span + 1e-9])
    return slice(int(first), int(last))
