"""Limits on the size of untrusted input. Anything larger is a mistake, or meant to fill the memory."""

import os
from fractions import Fraction
from typing import Any

LARGEST_SIZE = 4096  # pixels, height and width of clips and stored frames; the network was made for 112
MOST_PIXELS = 64_000_000  # in a picture or a film frame: twice an 8K frame
MOST_FRAMES = 2_000_000  # in a film: 22 hours at 25 Hz
FRAME_RATES_HZ = (0.1, 1000.0)  # films in raw data
LIKELY_FRAME_RATES_HZ = (Fraction(1, 60), 500)  # a user's own films
LONGEST_NAME = 200  # bytes: file systems allow 255, and names get suffixes


def is_name(text: object) -> bool:
    """Returns whether `text` can name a film or a database: the name of one folder, not a path to another."""
    if not isinstance(text, str) or text in (".", "..") or set(text) & set("/\\\0"):
        return False
    try:
        return 0 < len(os.fsencode(text)) <= LONGEST_NAME
    except UnicodeEncodeError:  # half of a surrogate pair, as JSON may hold
        return False


def is_rate(hertz: Any) -> bool:
    """Returns whether `hertz` is an accepted frame rate."""
    return type(hertz) in (int, float) and FRAME_RATES_HZ[0] <= hertz <= FRAME_RATES_HZ[1]
