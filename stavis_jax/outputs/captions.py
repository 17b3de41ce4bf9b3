"""Small text on pictures, and where pictures lie side by side."""

import math
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDE = 16 / 9  # the shape that a screen has room for
EMPTY_CELL = 0.5  # as bad as a width-to-height ratio off by a factor of 1.6
SMALLEST_FONT, USUAL_FONT, LARGEST_FONT = 9, 13, 28  # pixels
TEXT, GROUND = (255, 255, 255, 255), (0, 0, 0, 150)


def grid_shape(count: int, cell: tuple[int, int], least_columns: int = 1) -> tuple[int, int]:
    """Columns and rows for `count` cells of (width, height): about as wide as a screen, few cells empty."""

    def fault(columns: int) -> float:
        rows = math.ceil(count / columns)
        ratio = columns * cell[0] / (rows * cell[1])
        return abs(math.log(ratio / WIDE)) + EMPTY_CELL * (columns * rows - count)

    columns = min(range(min(least_columns, count), count + 1), key=fault)
    return columns, math.ceil(count / columns)


@cache
def label(text: str, width: int, height: int) -> Image.Image | None:
    """White text on a dark ground, RGBA, for a corner of a picture of that size; None where it does not fit."""
    for size in range(min(LARGEST_FONT, max(USUAL_FONT, height // 22)), SMALLEST_FONT - 1, -1):
        font = ImageFont.load_default(size)
        left, _, right, _ = font.getbbox(text)
        ascent, descent = font.getmetrics()
        margin = max(2, size // 2)
        made = Image.new("RGBA", (math.ceil(right - left) + 2 * margin, ascent + descent + margin))
        if made.width <= width and made.height <= height // 2:
            draw = ImageDraw.Draw(made)
            draw.rounded_rectangle((0, 0, made.width - 1, made.height - 1), radius=margin // 2, fill=GROUND)
            draw.text((made.width / 2, made.height / 2), text, fill=TEXT, font=font, anchor="mm")
            return made
    return None


def write_label(picture: np.ndarray, text: str) -> np.ndarray:
    """Writes text into the top left corner of uint8 [H, W, 3]; returns the picture with it."""
    height, width = picture.shape[:2]
    made = label(text, width, height)
    if made is None:
        return picture
    labelled = Image.fromarray(picture)
    inset = min(8, max(0, (width - made.width) // 2), height // 40)
    labelled.paste(made, (inset, inset), made)
    return np.asarray(labelled)
