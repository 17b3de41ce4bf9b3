"""One film for the page: the files of its prediction. Here alone the page meets `stavis_jax.prediction`."""

import csv
import dataclasses
import inspect
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from stavis_jax.prediction import SaliencyModel, write_predictions

OPTIONS = frozenset(inspect.signature(write_predictions).parameters)  # the page offers of `Look` what is among them
VIEWS = ("overlay", "side-by-side")
PANES = ("localization", "attention")
TRACK = ("seconds", "center_x_px", "center_y_px", "entropy_bits")  # columns that the page shows

Advance = Callable[[int], object]  # called with the number of frames done since the last call
Stage = Callable[[str, int | None], Advance]  # called with a stage's name and its number of frames, if known


@dataclasses.dataclass(frozen=True)
class Look:
    """How the overlay film looks; names and values are those of `write_predictions`."""

    colormap: str = "inferno"
    opacity: float = 0.75  # share of the heat at the most salient point
    view: str = "overlay"  # of VIEWS
    panes: tuple[str, ...] = ("localization",)  # of PANES; what the network does not know is left out


@dataclasses.dataclass(frozen=True)
class PagePrediction:
    """Files of one film.

    Attributes:
      num_frames: of the film.
      overlay: H.264 film with its sound.
      track: CSV, a row a frame, with the columns `TRACK` among others.
      maps: all maps in one file.
    """

    num_frames: int
    overlay: Path
    track: Path
    maps: Path


def predict_for_page(film: Path, folder: Path, model: SaliencyModel, look: Look, stage: Stage) -> PagePrediction:
    """Predicts a film into `folder`, which appears when all is written.

    Raises:
      UserError: the film cannot be read, or `folder` exists or cannot be written.
    """
    chosen = {name: value for name, value in dataclasses.asdict(look).items() if name in OPTIONS}
    num_frames = write_predictions(film, folder, model, stage=stage, **chosen)
    maps = folder / "maps"
    _write_track(folder / "track.csv", maps)
    with zipfile.ZipFile(folder / "maps.zip", "w", zipfile.ZIP_STORED) as packed:  # PNGs are compressed already
        for picture in sorted(maps.iterdir()):
            packed.write(picture, f"maps/{picture.name}")
    shutil.rmtree(maps)
    return PagePrediction(num_frames, folder / "overlay.mp4", folder / "track.csv", folder / "maps.zip")


def _write_track(track: Path, maps: Path, frame_rate_hz: float = 25.0) -> None:
    """Centre of mass and entropy of each map; as long as predictions do not bring them."""
    with track.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("frame", *TRACK))
        for index, picture in enumerate(sorted(maps.iterdir())):
            mass = np.asarray(Image.open(picture), np.float64) + 1e-9
            mass /= mass.sum()
            y, x = (np.arange(length) + 0.5 for length in mass.shape)
            numbers = (mass.sum(0) @ x, mass.sum(1) @ y, -(mass * np.log2(mass)).sum())
            rows.writerow((index + 1, f"{index / frame_rate_hz:.6f}", *(f"{number:.4f}" for number in numbers)))
