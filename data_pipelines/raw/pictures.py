"""Opens the pictures that strangers give: of the usual formats, and of a size that fits into the memory."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from PIL import Image

from data_pipelines.runtime.limits import MOST_PIXELS

# No others: Pillow hands PostScript to Ghostscript, which runs it, and some rare formats have no limits.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")
FRAME_FORMATS = (*FORMATS, "TIFF", "PPM", "JPEG2000")  # other programs write frames of films so

warnings.filterwarnings("error", category=Image.DecompressionBombWarning)  # as Pillow's documentation recommends


def open_picture(file: Path | IO[bytes], formats: Sequence[str] = FORMATS) -> Image.Image:
    """A picture, to be closed by `with`; its pixels are decoded when asked for.

    Raises ValueError if its header says more than `limits.MOST_PIXELS`, and what Pillow raises for other files:
    OSError, SyntaxError, ValueError and others.
    """
    try:
        picture = Image.open(file, formats=formats)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(str(error).partition(",")[0]) from None
    if picture.width * picture.height > MOST_PIXELS:
        picture.close()
        raise ValueError(f"its size is {picture.width}x{picture.height}")
    return picture
