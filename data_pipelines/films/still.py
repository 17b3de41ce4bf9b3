"""A single picture as a film of one frame."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from data_pipelines.films.decoding import USUAL_FRAME_RATE_HZ
from data_pipelines.films.frame_folder import PICTURE_SUFFIXES, read_picture
from data_pipelines.films.source import Film, Shot
from data_pipelines.raw.pictures import FRAME_FORMATS, open_picture
from data_pipelines.runtime.errors import UserError

ANIMATED = ("GIF", "PNG", "WEBP")  # with several frames, these are films; a JPEG's other pictures are previews
EXIF_ORIENTATION, UPRIGHT = 0x0112, 1


@dataclass(frozen=True, kw_only=True)
class Still(Film):
    """A picture. It has one frame and no sound.

    Attributes:
      is_upright_jpeg: whether the file is a JPEG whose pixels need not be turned.
    """

    is_upright_jpeg: bool

    def shots(self, warn: bool = False) -> Iterator[Shot]:
        yield Shot(functools.partial(read_picture, self.path), Fraction(0), None)

    def waveform(self, warn: bool = True) -> Iterator[np.ndarray]:
        """Yields nothing, and warns of nothing: nobody expects a picture to sound."""
        return iter(())


def open_still(path: Path) -> Still | None:
    """Opens a picture. Returns None if the file is something else, such as a film or an animated picture.

    Raises:
      UserError: the picture cannot be read, or the file is a TIFF of several pages.
    """
    try:
        if not path.is_file():  # a pipe would keep its reader waiting
            return None
        with open_picture(path, FRAME_FORMATS) as image:
            kind, count = str(image.format), getattr(image, "n_frames", 1)
            is_upright_jpeg = kind in ("JPEG", "MPO") and image.getexif().get(EXIF_ORIENTATION, UPRIGHT) == UPRIGHT
    except Exception:  # Pillow raises many kinds for damaged files and other formats
        if path.suffix.lower() not in PICTURE_SUFFIXES:
            return None
        kind, count, is_upright_jpeg = "", 1, False  # `read_picture` reports what is wrong
    if count > 1 and kind in ANIMATED:
        return None
    if count > 1 and kind == "TIFF":
        raise UserError(f"{path}: holds {count} pictures. Save each as a file of its own.")
    height, width = read_picture(path).shape[:2]
    return Still(
        path=path,
        width=width,
        height=height,
        nominal_rate_hz=Fraction(USUAL_FRAME_RATE_HZ),
        num_frames=1,
        is_upright_jpeg=is_upright_jpeg,
    )
