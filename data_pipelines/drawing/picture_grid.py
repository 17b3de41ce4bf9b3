"""Arranges pictures in a grid, and writes captions into them."""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SCREEN_RATIO = 16 / 9
EMPTY_CELL = 0.5  # as bad as an aspect ratio that is off by a factor of 1.6
SMALLEST_FONT, USUAL_FONT, LARGEST_FONT = 9, 13, 28  # pixels
TEXT, TEXT_BACKGROUND = (255, 255, 255, 255), (0, 0, 0, 150)
BACKGROUND = 16  # grey level between the pictures


def grid_shape(count: int, cell: tuple[int, int], min_columns: int = 1) -> tuple[int, int]:
    """Returns (columns, rows) for `count` cells of (width, height): about the shape of a screen, few cells empty."""

    def badness(columns: int) -> float:
        rows = math.ceil(count / columns)
        ratio = columns * cell[0] / (rows * cell[1])
        return abs(math.log(ratio / SCREEN_RATIO)) + EMPTY_CELL * (columns * rows - count)

    columns = min(range(min(min_columns, count), count + 1), key=badness)
    return columns, math.ceil(count / columns)


def tiled(cells: Sequence[np.ndarray], columns: int, gap: int, margin: int = 0) -> np.ndarray:
    """Arranges pictures of one size, uint8 [h, w, 3], in rows. The last row is centred.

    Args:
      cells: the pictures.
      columns: pictures per row.
      gap: pixels between pictures.
      margin: pixels around all of them.

    Returns:
      uint8 [H, W, 3].
    """
    height, width = cells[0].shape[0] + gap, cells[0].shape[1] + gap
    rows = math.ceil(len(cells) / columns)
    shape = (rows * height - gap + 2 * margin, columns * width - gap + 2 * margin, 3)
    canvas = np.full(shape, BACKGROUND, np.uint8)
    for index, cell in enumerate(cells):
        row, column = divmod(index, columns)
        in_row = min(columns, len(cells) - row * columns)
        top, left = margin + row * height, margin + column * width + (columns - in_row) * width // 2
        canvas[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
    return canvas


def captioned(picture: np.ndarray, text: str) -> np.ndarray:
    """Returns a picture, uint8 [H, W, 3], with text in its top left corner. Text that does not fit is left out."""
    height, width = picture.shape[:2]
    label = _label(text, width, height)
    if label is None:
        return picture
    image = Image.fromarray(picture)
    inset = min(8, max(0, (width - label.width) // 2), height // 40)
    image.paste(label, (inset, inset), label)
    return np.asarray(image)


@cache
def _label(text: str, width: int, height: int) -> Image.Image | None:
    """Returns white text on a dark background, RGBA, for a picture of that size; None if it does not fit."""
    for size in range(min(LARGEST_FONT, max(USUAL_FONT, height // 22)), SMALLEST_FONT - 1, -1):
        font = ImageFont.load_default(size)
        assert isinstance(font, ImageFont.FreeTypeFont), "Pillow has no FreeType"
        left, _, right, _ = font.getbbox(text)
        ascent, descent = font.getmetrics()
        margin = max(2, size // 2)
        label = Image.new("RGBA", (math.ceil(right - left) + 2 * margin, ascent + descent + margin))
        if label.width <= width and label.height <= height // 2:
            draw = ImageDraw.Draw(label)
            draw.rounded_rectangle((0, 0, label.width - 1, label.height - 1), margin // 2, TEXT_BACKGROUND)
            draw.text((label.width / 2, label.height / 2), text, fill=TEXT, font=font, anchor="mm")
            return label
    return None
