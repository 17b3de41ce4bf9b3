"""Output `thumbnail`: writes the frame that shows most clearly what people look at."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from data_pipelines.films.film import Film, Picture
from stavis_jax.maps.attention import attention_mass, concentration
from stavis_jax.outputs.frame_writer import WriteFrame
from stavis_jax.outputs.options import OutputOptions
from stavis_jax.prediction.frame_prediction import FramePrediction

LONG_SIDE = 320  # pixels of the picture whose sharpness is measured
HALF_SHARP = 100.0  # squared levels of the Laplacian at which a frame counts half
LIGHT = 48.0  # mean level from which a frame is light enough, of 255


def thumbnail_score(mass: np.ndarray, picture: np.ndarray) -> float:
    """Returns concentration x sharpness x light of a frame, 0 to 1.

    Concentration is that of `maps.attention`. Sharpness is v / (v + 100), where v is the squared Laplacian of the grey
    picture, 320 pixels long, averaged with the weights of the saliency: what people look at shall be sharp. Light is
    the mean level / 48, at most 1.

    Args:
      mass: see `attention_mass`, [h, w].
      picture: uint8 [H, W, 3].
    """
    grey = Image.fromarray(picture).convert("L")
    scale = LONG_SIDE / max(grey.size)
    if scale < 1:
        grey = grey.resize(
            (max(1, round(grey.width * scale)), max(1, round(grey.height * scale))), Image.Resampling.BOX
        )
    levels = np.pad(np.asarray(grey, np.float32), 1, mode="edge")
    middle = levels[1:-1, 1:-1]
    laplacian = levels[:-2, 1:-1] + levels[2:, 1:-1] + levels[1:-1, :-2] + levels[1:-1, 2:] - 4 * middle
    weights = np.asarray(Image.fromarray(mass.astype(np.float32)).resize(grey.size, Image.Resampling.BILINEAR))
    blur = float((laplacian**2 * weights).sum() / weights.sum())
    return concentration(mass) * blur / (blur + HALF_SHARP) * min(1.0, float(middle.mean()) / LIGHT)


@contextlib.contextmanager
def thumbnail(path: Path, film: Film, options: OutputOptions) -> Iterator[WriteFrame]:
    """Writes thumbnail.png: the frame of the highest `thumbnail_score`, the first of several, at the film's size.

    The file's text fields tell its frame (from 1), its time in seconds and its score.
    """
    best = -1.0
    chosen: tuple[np.ndarray, int, float] | None = None

    def write(prediction: FramePrediction, picture: Picture | None) -> None:
        nonlocal best, chosen
        assert picture, "this output needs pictures"
        mass = attention_mass(prediction.saliency)
        if concentration(mass) <= best:  # the score cannot be higher
            return
        score = thumbnail_score(mass, picture.pixels)
        if score > best:
            best, chosen = score, (picture.pixels, prediction.number, prediction.seconds)

    yield write
    assert chosen, "a film has a frame"
    pixels, number, seconds = chosen
    image, facts = Image.fromarray(pixels), PngInfo()
    if film.pixel_aspect != 1:
        image = image.resize((max(1, round(image.width * film.pixel_aspect)), image.height), Image.Resampling.LANCZOS)
    for name, text in (("frame", str(number)), ("seconds", f"{seconds:.3f}"), ("score", f"{best:.4f}")):
        facts.add_text(name, text)
    image.save(path, pnginfo=facts)
