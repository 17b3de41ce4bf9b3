"""Saliency maps as picture files, one a frame."""

import re
from pathlib import Path
from typing import Literal

from PIL import Image

from stavis_jax.maps.pictures import map_path, saliency_picture
from stavis_jax.prediction.frame_prediction import FramePrediction
from stavis_jax.scoring.protocol import FIRST_SCORED_FRAME

Naming = Literal["frames", "original"]

FIRST_WHOLE_CLIP = 8  # the frame whose clip is frames 1 to 16; the released code names its map 9
JPEG_QUALITY = 95

_NAME = re.compile(r"\d{6,}\.png|pred_sal_\d{6,}\.jpg")


def is_map_name(name: str) -> bool:
    """Whether `MapPictures` may have written a file of that name."""
    return bool(_NAME.fullmatch(name))


class MapPictures:
    """8-bit grey pictures, each stretched from its map's minimum to its maximum.

    naming "frames": folder/000001.png is the map of the film's frame 1. "original": folder/pred_sal_000009.jpg is the
    map of frames 1 to 16, as the released code names it: one more than the frame in the middle, frame 8. As there,
    frames 1 to 7 have no file.
    """

    def __init__(self, folder: Path, size: tuple[int, int] | None = None, naming: Naming = "frames"):
        """`size`: (width, height) of the pictures in pixels; by default the maps' own."""
        self.folder, self.size, self.naming = folder, size, naming
        folder.mkdir(parents=True)

    def add(self, prediction: FramePrediction) -> None:
        if self.naming == "original":
            if prediction.number < FIRST_WHOLE_CLIP:
                return
            number = prediction.number - FIRST_WHOLE_CLIP + FIRST_SCORED_FRAME
            path, options = self.folder / f"pred_sal_{number:06d}.jpg", {"quality": JPEG_QUALITY}
        else:
            # Level 1: three times as fast as the default, for files half as big again.
            path, options = map_path(self.folder, prediction.number), {"compress_level": 1}
        Image.fromarray(saliency_picture(prediction.saliency, self.size)).save(path, **options)

    def finish(self) -> None:
        pass

    def close(self) -> None:
        pass
