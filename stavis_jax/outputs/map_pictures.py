"""Output `maps`: saliency maps as picture files, one per frame."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from data_pipelines.films.film import Film, Picture
from data_pipelines.films.still import Still
from stavis_jax.maps.map_folders import map_path
from stavis_jax.maps.pictures import RELEASED_JPEG_QUALITY, saliency_picture
from stavis_jax.outputs.frame_writer import WriteFrame
from stavis_jax.outputs.options import OutputOptions
from stavis_jax.prediction.frame_prediction import FramePrediction

FIRST_WHOLE_CLIP = 8  # the frame whose clip is frames 1 to 16
PNG_LEVEL = 1  # three times as fast as the default, files 50% larger

_NAME = re.compile(r"\d{6,}\.png|pred_sal_\d{6,}\.jpg")


def is_map_name(name: str) -> bool:
    """Returns whether `map_pictures` may have written a file of this name."""
    return bool(_NAME.fullmatch(name))


@contextlib.contextmanager
def map_pictures(path: Path, film: Film, options: OutputOptions) -> Iterator[WriteFrame]:
    """Writes 8-bit grey pictures, each stretched from the minimum of its map to its maximum.

    With `options.naming` "frames", path/000001.png is the map of frame 1. With "original", names and quality follow the
    released code: path/pred_sal_000009.jpg is the map of frames 1 to 16. Its number is that of the middle frame, 8,
    plus one; frames 1 to 7 have no file. The map of a picture is path/pred_sal_000001.jpg.
    """
    path.mkdir(parents=True)
    size, is_still = options.size_of_maps(film), isinstance(film, Still)

    def write(prediction: FramePrediction, _: Picture | None) -> None:
        settings: dict[str, Any]
        if options.naming == "frames":
            file, settings = map_path(path, prediction.number), {"compress_level": PNG_LEVEL}
        elif prediction.number >= FIRST_WHOLE_CLIP or is_still:
            number = prediction.number + (0 if is_still else 1)
            file, settings = path / f"pred_sal_{number:06d}.jpg", {"quality": RELEASED_JPEG_QUALITY}
        else:
            return
        Image.fromarray(saliency_picture(prediction.saliency, size)).save(file, **settings)

    yield write
