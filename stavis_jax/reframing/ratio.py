"""Reads the aspect ratio of a reframed film, and finds the largest window of that ratio in a film."""

import argparse
import re
from dataclasses import dataclass
from fractions import Fraction

MOST_ELONGATED = 10
_RATIO = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?:[0-9]{1,9}(\.[0-9]{1,9})?")


@dataclass(frozen=True)
class Ratio:
    """An aspect ratio.

    Attributes:
      text: the ratio as the user wrote it, such as "9:16".
      value: displayed width over displayed height.
    """

    text: str
    value: Fraction

    @property
    def name(self) -> str:
        """The ratio in names of files: 9x16."""
        return self.text.replace(":", "x")

    def window(self, film_size: tuple[int, int], pixel_aspect: Fraction = Fraction(1)) -> tuple[int, int]:
        """Returns (width, height) in pixels of the largest window of this ratio, both even.

        Args:
          film_size: (width, height) of the film in pixels.
          pixel_aspect: width over height of the pixels.
        """
        width, height = (max(2, side // 2 * 2) for side in film_size)
        stored = self.value / pixel_aspect
        if width >= height * stored:
            return _even(height * stored, width), height
        return width, _even(width / stored, height)


def ratio(text: str) -> Ratio:
    """Returns the ratio of a text such as "9:16" or "2.39:1"."""
    if _RATIO.fullmatch(text):
        width, height = map(Fraction, text.split(":"))
        if height > 0 and Fraction(1, MOST_ELONGATED) <= width / height <= MOST_ELONGATED:
            return Ratio(text, width / height)
    raise argparse.ArgumentTypeError(f"expected WIDTH:HEIGHT, such as 9:16, at most 10:1 or 1:10, found {text!r}")


def _even(wanted: Fraction, most: int) -> int:
    """Returns the even number nearest to `wanted` that is at most `most`, which is even, and at least 2."""
    return max(2, min(2 * round(wanted / 2), most))
