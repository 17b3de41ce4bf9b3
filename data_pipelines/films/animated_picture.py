"""An animated WebP picture as a film. FFmpeg reads other animated pictures, but of WebP only the first frame."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from data_pipelines.films.decoding import USUAL_FRAME_RATE_HZ
from data_pipelines.films.source import Film, Shot
from data_pipelines.raw.pictures import open_picture
from data_pipelines.runtime.errors import UserError, reason
from data_pipelines.runtime.limits import LIKELY_FRAME_RATES_HZ

UNSTATED_MILLISECONDS = 100  # as browsers show frames that state no duration


@dataclass(frozen=True, kw_only=True)
class AnimatedPicture(Film):
    """A picture of several frames, each with its duration. It has no sound of its own."""

    def shots(self, warn: bool = False) -> Iterator[Shot]:
        seconds = Fraction(0)
        try:
            with open_picture(self.path, ("WEBP",)) as image:
                for number in range(getattr(image, "n_frames", 1)):
                    image.seek(number)
                    pixels, duration = np.asarray(image.convert("RGB")), _duration(image)
                    yield Shot(functools.partial(np.asarray, pixels), seconds, duration)
                    seconds += duration
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            raise UserError(f"{self.path}: cannot be read to its end ({reason(error)}). Give another film.") from error


def open_animated_picture(path: Path) -> AnimatedPicture | None:
    """Opens an animated WebP picture. Returns None if the file is something else, or cannot be read."""
    try:
        if not path.is_file():  # a pipe would keep its reader waiting
            return None
        with open_picture(path, ("WEBP",)) as image:
            num_frames = getattr(image, "n_frames", 1)
            image.load()  # it states its duration then
            if num_frames < 2:
                return None
            rate_hz, (lowest, highest) = 1 / _duration(image), LIKELY_FRAME_RATES_HZ
            return AnimatedPicture(
                path=path,
                width=image.width,
                height=image.height,
                nominal_rate_hz=rate_hz if lowest <= rate_hz <= highest else Fraction(USUAL_FRAME_RATE_HZ),
                num_frames=num_frames,
            )
    except (OSError, ValueError, SyntaxError, EOFError):
        return None


def _duration(image: Image.Image) -> Fraction:
    """Returns the duration of the current frame in seconds."""
    return Fraction(int(image.info.get("duration") or UNSTATED_MILLISECONDS), 1000)
