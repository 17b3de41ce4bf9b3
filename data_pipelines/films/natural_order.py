"""The order in which people count: frame2 comes before frame10."""

import re
from pathlib import Path

_DIGITS = re.compile(r"(\d+)")


def natural_order(path: Path) -> tuple:
    """A key to sort paths by: runs of digits count as numbers, capitals as small letters."""
    return tuple(_part_order(part) for part in path.parts), path.parts


def _part_order(part: str) -> tuple:
    pieces = _DIGITS.split(part)  # text and digits take turns, so that like is compared with like
    return tuple(int(piece) if place % 2 else piece.casefold() for place, piece in enumerate(pieces))
