"""How large what strangers give may be. Anything larger is a mistake, or meant to fill the memory."""

from fractions import Fraction

LARGEST_SIZE = 4096  # height and width of clips and stored frames, pixels; the network was made for 112
MOST_PIXELS = 64_000_000  # of a picture or a film: twice an 8K film's
MOST_FRAMES = 2_000_000  # of a film: 22 hours at 25 Hz
FRAME_RATES_HZ = (0.1, 1000.0)  # of a film in raw data
LIKELY_FRAME_RATES_HZ = (Fraction(1, 60), 500)  # of a user's film
LONGEST_NAME = 200  # bytes: file systems take 255, and names get endings


def is_name(text: object) -> bool:
    """Whether a film or a database may be called so: the name of one folder, not a way to another."""
    return (
        isinstance(text, str)
        and 0 < len(text.encode(errors="replace")) <= LONGEST_NAME
        and text not in (".", "..")
        and not set(text) & set("/\\\0")
    )


def is_rate(hertz: object) -> bool:
    """Whether a film may have so many frames a second."""
    return type(hertz) in (int, float) and FRAME_RATES_HZ[0] <= hertz <= FRAME_RATES_HZ[1]
