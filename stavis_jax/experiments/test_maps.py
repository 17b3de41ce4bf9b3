"""SHARDS -> saliency maps of a database's test films, as 8-bit pictures in the released code's file layout."""

import math
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track

from data_pipelines.clips.batches import evaluation_batches
from data_pipelines.clips.source import open_clips
from data_pipelines.raw.fold_lists import ListedFilm
from data_pipelines.runtime import atomic
from data_pipelines.runtime.errors import UserError
from stavis_jax.maps.map_folders import MapFolder, find_video_folder
from stavis_jax.maps.pictures import saliency_picture
from stavis_jax.prediction.model import SaliencyModel
from stavis_jax.scoring.protocol import FIRST_SCORED_FRAME, PredictedVideo


def write_test_maps(
    model: SaliencyModel,
    shards: Path,
    output: Path,
    *,
    split: int,
    databases: Sequence[str] | None = None,
    batch_size: int = 8,
    title: str = "maps",
    console: Console | None = None,
) -> None:
    """Predicts every test window of a split and writes the pictures.

    OUTPUT/split<n>_results/<database>/<video>/pred_sal_000009.png ...: window i (from 0) is named frame 9 + i, as the
    released code names it. An output that exists is replaced once the new one is complete.
    """
    clips = open_clips(shards, "test", split, "test", databases)
    batches = evaluation_batches(
        shards, subset="test", split=split, windows="test", batch_size=batch_size, databases=databases
    )
    steps = math.ceil(len(clips) / batch_size)
    with atomic.temporary_folder_beside(output) as aside:
        unfinished = aside / "maps"
        for batch in track(batches, title, total=steps, console=console, disable=console is None):
            logits = np.asarray(model.saliency_logits(batch["clip"], batch["waveform"]))
            valid = batch["weight"] > 0
            saliency = np.asarray(jax.nn.sigmoid(logits[valid]))
            for index, saliency_map in zip(batch["clip_index"][valid].tolist(), saliency, strict=True):
                film = clips.films[clips.film_index(index)]
                number = FIRST_SCORED_FRAME + int(clips.frames(index)[0]) - 1
                folder = unfinished / f"split{split}_results" / film.database / film.name
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(saliency_picture(saliency_map)).save(folder / f"pred_sal_{number:06d}.png")
        atomic.replace_folder(unfinished, output)


def read_test_maps(maps: Path, films: Sequence[ListedFilm], split: int) -> list[PredictedVideo]:
    """The maps that `write_test_maps` wrote, of the films of a split. Raises UserError if a film has none."""
    predicted = []
    for film in films:
        folder = find_video_folder(maps, split, film.database, film.name)
        if folder is None:
            raise UserError(f"{maps}: has no maps of {film.database}/{film.name}. Predict them again.")
        predicted.append(PredictedVideo(film.database, split, film.name, film.num_frames, MapFolder(folder)))
    return predicted
