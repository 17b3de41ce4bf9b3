"""Reads the pictures of databases of stills in the raw layout, and their densities."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from data_pipelines.raw.fold_lists import Subset, read_films
from data_pipelines.raw.layout import RawLayout, read_density, read_frame
from tools.starter.labelled import Pictures
from tools.starter.teacher import GRID

REAL = "OSIE", "SaliencyInCrowd"  # the databases with real gaze
SIZE = 512, 384  # width and height of the pictures that the teacher sees


def read_pictures(raw: Path, databases: Sequence[str], subset: Subset, split: int = 1) -> Pictures:
    """Returns the pictures of one list of each database.

    Raises:
      UserError: a file or a list is missing or damaged.
    """
    layout = RawLayout(raw)
    pixels, densities = [], []
    for film in read_films(layout, subset, split, databases):
        picture = Image.fromarray(read_frame(layout.frame_path(film.database, film.name, 1)))
        pixels.append(np.asarray(picture.resize(SIZE, Image.Resampling.LANCZOS)))
        density = Image.fromarray(read_density(layout.density_path(film.database, film.name, 1)).astype(np.float32))
        densities.append(np.asarray(density.resize((SIZE[0] // GRID, SIZE[1] // GRID), Image.Resampling.BOX)))
    stacked = np.stack(densities) / np.sum(densities, (1, 2), keepdims=True)
    return Pictures(torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(stacked))
