"""Draws the pictures of a reframed film, and of its preview."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from data_pipelines.drawing.mp4_film import even
from stavis_jax.reframing.plan import Plan

BLURRED_PIXELS = 64  # long side at which a background is blurred, before it is enlarged
BLUR_RADIUS = 2.5  # pixels, at that size
BACKGROUND_BRIGHTNESS = 0.6
OUTSIDE_BRIGHTNESS = 0.4  # of a preview, outside of the crop
FRAME_COLOUR = (255, 208, 0)
FRAME_SHARE = 200  # of the film's long side, in one width of the drawn line


def reframed_picture(picture: np.ndarray, plan: Plan, index: int, padded: bool) -> np.ndarray:
    """Returns the picture uint8 [h, w, 3] of a reframed film.

    Args:
      picture: the film's, uint8 [H, W, 3]; resized to the size of the film's first one, if it differs.
      plan: the plan.
      index: of the frame, from 0.
      padded: whether the whole picture is shown.
    """
    picture = _of_size(picture, plan.film_size)
    (width, height), (x, y) = plan.size, plan.whole_pixels(index)
    if not padded:
        return picture[y : y + height, x : x + width]
    return _padded(picture, plan)


def preview_picture(picture: np.ndarray, plan: Plan, index: int, padded: bool) -> np.ndarray:
    """Returns the film's picture, uint8 [H, W, 3] of even size, with the crop framed and the rest dark."""
    picture = _of_size(picture, plan.film_size)
    x, y = (0, 0) if padded else plan.whole_pixels(index)
    width, height = plan.film_size if padded else plan.size
    shown = (picture * np.float32(OUTSIDE_BRIGHTNESS)).astype(np.uint8)
    shown[y : y + height, x : x + width] = picture[y : y + height, x : x + width]
    image = Image.fromarray(shown)
    line = max(1, max(plan.film_size) // FRAME_SHARE)
    ImageDraw.Draw(image).rectangle((x, y, x + width - 1, y + height - 1), outline=FRAME_COLOUR, width=line)
    even_width, even_height = even(plan.film_size)
    return np.asarray(image)[:even_height, :even_width]


def whole_picture_box(film_size: tuple[int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Returns (x, y, width, height) of the whole picture in a padded one, all even."""
    scale = min(size[0] / film_size[0], size[1] / film_size[1])
    width, height = (min(most, max(2, 2 * round(side * scale / 2))) for side, most in zip(film_size, size, strict=True))
    return (size[0] - width) // 4 * 2, (size[1] - height) // 4 * 2, width, height


def _padded(picture: np.ndarray, plan: Plan) -> np.ndarray:
    x, y, width, height = whole_picture_box(plan.film_size, plan.size)
    canvas = _background(picture, plan.size) if plan.background == "blur" else Image.new("RGB", plan.size)
    canvas.paste(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2), (x, y))
    return np.asarray(canvas)


def _background(picture: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Returns the middle of a picture, blurred and darker, at a size (width, height)."""
    x, y = (picture.shape[1] - size[0]) // 2, (picture.shape[0] - size[1]) // 2
    middle = Image.fromarray(picture[y : y + size[1], x : x + size[0]])
    scale = min(1.0, BLURRED_PIXELS / max(size))
    small = middle.resize((max(1, round(size[0] * scale)), max(1, round(size[1] * scale))), Image.Resampling.BOX)
    blurred = small.filter(ImageFilter.GaussianBlur(BLUR_RADIUS))
    dark = blurred.point([round(BACKGROUND_BRIGHTNESS * level) for level in range(256)] * 3)
    return dark.resize(size, Image.Resampling.BICUBIC)


def _of_size(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if picture.shape[1::-1] == size:
        return picture
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))
