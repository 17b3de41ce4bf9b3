"""What a kind of film must tell and give: a film file does, and a folder of pictures."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Shot:
    """A frame whose pixels are worked out when wanted, by any thread.

    pixels: gives uint8 [H, W, 3], RGB, upright. seconds: since the film's first frame. duration_seconds: None if the
    film does not tell.
    """

    pixels: Callable[[], np.ndarray]
    seconds: Fraction
    duration_seconds: Fraction | None


class FilmSource(Protocol):
    """width, height: pixels, upright, of the first picture. frame_rate_hz: nominal. num_frames: None if unknown."""

    width: int
    height: int
    frame_rate_hz: Fraction
    num_frames: int | None

    def shots(self, warn: bool = False) -> Iterator[Shot]:
        """Yields every frame, from the start. `warn` logs what had to be left out."""
