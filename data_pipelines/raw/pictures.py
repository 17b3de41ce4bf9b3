"""Opens untrusted pictures: only common formats, and only sizes that fit into memory."""

import warnings
from pathlib import Path
from typing import IO

from PIL import Image

from data_pipelines.runtime.limits import MOST_PIXELS

# Pillow passes PostScript to Ghostscript, which runs it, and some rare formats have no limits on their size.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")
FRAME_FORMATS = (*FORMATS, "TIFF", "PPM", "JPEG2000")  # formats in which other programs write the frames of films

warnings.filterwarnings("error", category=Image.DecompressionBombWarning)  # as Pillow's documentation recommends


def open_picture(file: Path | IO[bytes], formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """Opens a picture. `with` closes it. Its pixels are decoded when they are asked for.

    Raises:
      ValueError: the header announces more than `limits.MOST_PIXELS` pixels.
      Exception: Pillow raises OSError, SyntaxError, ValueError and others for files that it cannot read.
    """
    try:
        picture = Image.open(file, formats=formats)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(str(error).partition(",")[0]) from None
    if picture.width * picture.height > MOST_PIXELS:
        picture.close()
        raise ValueError(f"its size is {picture.width}x{picture.height}")
    return picture
