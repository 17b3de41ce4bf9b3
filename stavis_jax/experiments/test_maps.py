"""Saliency maps of a split's test films, as 8-bit pictures in the released code's file layout."""

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.progress import track

from data_pipelines.clips.batches import evaluation_batches
from data_pipelines.clips.source import open_clips
from data_pipelines.raw.fold_lists import ListedFilm
from data_pipelines.runtime import atomic
from data_pipelines.runtime.errors import UserError, out_of_memory_as_user_error
from stavis_jax.experiments.data import ExperimentData
from stavis_jax.experiments.score_batches import clips_per_batch, predict_batches
from stavis_jax.experiments.settings import ScoringSettings
from stavis_jax.maps.map_folders import MapFiles, MapFolder, find_video_folder, scored_map_path
from stavis_jax.maps.pictures import RELEASED_JPEG_QUALITY, saliency_picture
from stavis_jax.prediction.model import StavisModel
from stavis_jax.scoring.protocol import FIRST_SCORED_FRAME, PredictedVideo
from stavis_jax.weights.directory import read_weights


def predict_test_films(
    weights: Path,
    data: ExperimentData,
    films: Sequence[ListedFilm],
    output: Path,
    settings: ScoringSettings,
    console: Console,
) -> list[PredictedVideo]:
    """Writes the maps of the test films, and returns them as read from the files.

    Args:
      weights: directory of a trained network.
      films: the test films of `data`.
      output: folder for the maps, named after the variant. An older folder is replaced when the new one is complete.
      settings: batch size and number format.

    Raises:
      UserError: the weights cannot be read, or a batch does not fit into memory.
    """
    arrays, info = read_weights(weights)
    model = StavisModel(info.network_config(), arrays, size=info.size, dtype=settings.dtype)
    batch_size = clips_per_batch(settings.batch_size)
    output.parent.mkdir(parents=True, exist_ok=True)
    with out_of_memory_as_user_error(f"--config.evaluation.batch_size={batch_size}", "Give a smaller one."):
        write_test_maps(model, data, output, batch_size, console, settings.maps)
    return read_test_maps(output, films, data.split)


def write_test_maps(
    model: StavisModel,
    data: ExperimentData,
    output: Path,
    batch_size: int = 8,
    console: Console | None = None,
    files: MapFiles = "png",
) -> None:
    """Predicts every test window and writes the map of each, named as in `scored_map_path`.

    Window i (from 0) is named frame 9 + i, as in the released code, and that of a still frame 1.
    """
    clips = open_clips(data.shards, "test", data.split, "test", data.databases)
    batches = evaluation_batches(
        data.shards,
        subset="test",
        split=data.split,
        windows="test",
        batch_size=batch_size,
        databases=data.databases,
        sound=model.uses_sound,
    )
    steps, title = math.ceil(len(clips) / batch_size), f"maps of {output.name}"
    with atomic.temporary_folder_beside(output) as aside:
        unfinished = aside / "maps"
        predicted = predict_batches(model, batches)
        for batch, saliency in track(predicted, title, total=steps, console=console, disable=console is None):
            valid = batch["weight"] > 0
            for index, saliency_map in zip(batch["clip_index"][valid].tolist(), saliency[valid], strict=True):
                film = clips.films[clips.film_index(index)]
                number = 1 if film.num_frames == 1 else FIRST_SCORED_FRAME + int(clips.frames(index)[0]) - 1
                path = scored_map_path(unfinished, data.split, film.database, film.name, number, files)
                path.parent.mkdir(parents=True, exist_ok=True)
                picture = Image.fromarray(saliency_picture(saliency_map))
                picture.save(path, quality=RELEASED_JPEG_QUALITY)  # a PNG has no use for it
        atomic.replace_folder(unfinished, output)


def read_test_maps(maps: Path, films: Sequence[ListedFilm], split: int) -> list[PredictedVideo]:
    """Returns the maps that `write_test_maps` wrote. Raises UserError if a film has none."""
    predicted = []
    for film in films:
        folder = find_video_folder(maps, split, film.database, film.name)
        if folder is None:
            raise UserError(f"{maps}: holds no maps of {film.database}/{film.name}. Predict them again.")
        predicted.append(PredictedVideo(film.database, split, film.name, film.num_frames, MapFolder(folder)))
    return predicted
