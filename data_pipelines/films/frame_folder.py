"""A folder of pictures as a film: one frame per picture, in natural order, at a steady rate, and a sound file."""

import functools
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from data_pipelines.films.decoding import USUAL_FRAME_RATE_HZ
from data_pipelines.films.source import Film, Shot
from data_pipelines.raw.pictures import FRAME_FORMATS, open_picture
from data_pipelines.runtime.errors import UserError, reason
from data_pipelines.runtime.folders import entries
from data_pipelines.runtime.limits import LIKELY_FRAME_RATES_HZ

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".jp2")
SOUND_SUFFIXES = (".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".opus")

_DIGITS = re.compile(r"(\d+)")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class FrameFolder(Film):
    """A folder of pictures. Pictures after the first one may have another size."""

    files: tuple[Path, ...]

    def shots(self, warn: bool = False) -> Iterator[Shot]:
        duration = 1 / self.nominal_rate_hz
        for number, file in enumerate(self.files):
            yield Shot(functools.partial(read_picture, file), number * duration, duration)


def open_frame_folder(path: Path, frame_rate_hz: float | None = None) -> FrameFolder:
    """Lists a folder and reads its first picture. Without `frame_rate_hz`, frames are 25 a second, with a warning.

    Raises:
      UserError: the folder holds no picture, or a picture in two formats; the first one cannot be read, or the frame
        rate is not possible.
    """
    files = pictures_in(path)
    if not files:
        raise UserError(f"{path}: holds no pictures ({' '.join(PICTURE_SUFFIXES)}). Give a film or the folder of one.")
    _check_numbers(path, files)
    height, width = read_picture(files[0]).shape[:2]
    rate_hz = _exact_rate(path, frame_rate_hz)
    return FrameFolder(
        path=path, width=width, height=height, nominal_rate_hz=rate_hz, num_frames=len(files), files=tuple(files)
    )


def sound_in(folder: Path) -> Path | None:
    """Returns the sound file directly in a folder, or None. Raises UserError if there are several."""
    sounds = _files(folder, SOUND_SUFFIXES)
    if len(sounds) > 1:
        names = ", ".join(sound.name for sound in sounds)
        raise UserError(f"{folder}: holds {len(sounds)} sounds ({names}). Keep only the film's.")
    return sounds[0] if sounds else None


def pictures_in(folder: Path) -> list[Path]:
    """Returns the pictures directly in a folder, in natural order, without hidden files."""
    return _files(folder, PICTURE_SUFFIXES)


def read_picture(path: Path) -> np.ndarray:
    """Returns uint8 [H, W, 3], RGB, upright. Raises UserError if the file cannot be read as a picture."""
    try:
        with open_picture(path, FRAME_FORMATS) as image:
            if image.mode.startswith("I"):  # 16 bits of grey, of which Pillow would keep the lower ones
                image = Image.fromarray((np.asarray(image).clip(0, 2**16 - 1) >> 8).astype(np.uint8))
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except MemoryError:
        raise
    except Exception as error:  # Pillow raises many kinds for damaged files
        fault = "of no known format" if isinstance(error, UnidentifiedImageError) else reason(error)
        raise UserError(f"{path}: cannot be read as a picture ({fault}). Write this frame again.") from error


def _check_numbers(path: Path, files: Sequence[Path]) -> None:
    """Warns if the numbers in names have gaps or occur twice: all pictures are frames, and follow without a pause.

    Raises:
      UserError: two pictures have the same name but for their formats.
    """
    names = [file.stem.casefold() for file in files]
    for (name, file), (following, other) in pairwise(sorted(zip(names, files, strict=True))):
        if name == following:
            raise UserError(f"{path}: holds {file.name} and {other.name}. Keep one of each frame.")
    found = [re.search(r"(\d+)\D*$", name) for name in names]
    numbers = [int(match[1]) for match in found if match]
    steps = [after - before for before, after in pairwise(numbers)]
    if len(numbers) < len(files) or len(set(steps)) < 2 or min(steps) < 0:
        return
    usual = max(filter(None, steps), key=steps.count)
    place = steps.index(0) if 0 in steps else next(place for place, step in enumerate(steps) if step != usual)
    what = "have the same number" if steps[place] == 0 else "have no steady numbers"
    text = "%s: %s and %s %s. All pictures are frames, and follow without a pause."
    logger.warning(text, path, files[place].name, files[place + 1].name, what)


def _exact_rate(path: Path, frame_rate_hz: float | None) -> Fraction:
    if frame_rate_hz is None:
        logger.warning("%s: assuming %g frames a second, because no frame rate is given.", path, USUAL_FRAME_RATE_HZ)
        return Fraction(USUAL_FRAME_RATE_HZ)
    lowest, highest = LIKELY_FRAME_RATES_HZ
    if not float(lowest) <= frame_rate_hz <= highest:
        raise UserError(
            f"{path}: {frame_rate_hz:g} frames a second are not possible. Give a frame rate from {lowest} to {highest}."
        )
    return Fraction(frame_rate_hz).limit_denominator(100_000)  # 29.97 is 2997/100


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    found = [file for file in entries(folder) if file.suffix.lower() in suffixes]
    return sorted((file for file in found if file.is_file()), key=natural_order)


def natural_order(path: Path) -> tuple:
    """Returns a key that sorts paths as people count: frame2 before frame10, capitals as small letters."""
    return tuple(_part_order(part) for part in path.parts), path.parts


def _part_order(part: str) -> tuple:
    pieces = _DIGITS.split(part)  # text and digits alternate, so that like is compared with like
    return tuple(int(piece) if place % 2 else piece.casefold() for place, piece in enumerate(pieces))
