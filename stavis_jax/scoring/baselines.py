"""Baselines that do not depend on the film: the centre bias and the uniform map.

The centre bias is where people look on average. The uniform map is chance. Most metrics have no value for it.
"""

from collections.abc import Sequence

import numpy as np

from data_pipelines.raw.fold_lists import ListedFilm
from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime.errors import UserError
from data_pipelines.shards.annotations import AnnotationSource
from stavis_jax.metrics.postprocessing import imresize_bicubic
from stavis_jax.scoring.protocol import PredictedVideo, as_annotations

CENTRE_BIAS, UNIFORM = "center-bias", "uniform"
FRAME_STEP = 10  # frames; density maps of neighbouring frames are nearly the same
UNIFORM_NOTE = (
    "uniform: CC, NSS, both sAUC, SIM and IG have no value for a constant map (0/0). At chance, CC and NSS are 0, "
    "the sAUCs 0.5. AUC-J is slightly above 0.5 because its last threshold is the lowest fixated value."
)


def centre_bias(
    data: RawLayout | AnnotationSource,
    films: Sequence[ListedFilm],
    *,
    size: tuple[int, int] = (112, 112),
    frame_step: int = FRAME_STEP,
    of_films: dict[tuple[str, str], np.ndarray | None] | None = None,
) -> np.ndarray:
    """Returns the mean density map of the training films, uint8 [h, w], scaled to a maximum of 255.

    Every film has the same weight.

    Args:
        films: the training films. Leave out the films to be scored.
        size: height and width of the result in pixels.
        frame_step: reads every `frame_step`-th frame.
        of_films: mean density maps of films that were read before. This call adds its own. Splits share most films.

    Raises:
        UserError: no film has a density map that is not black.
    """
    annotations = as_annotations(data)
    of_films = {} if of_films is None else of_films
    for film in films:
        if (film.database, film.name) not in of_films:
            density_maps = (
                annotations.density(film.database, film.name, number)
                for number in range(1, film.num_frames + 1, frame_step)
            )
            resized = [imresize_bicubic(found, size) for found in density_maps if found is not None]
            of_films[film.database, film.name] = np.mean(resized, axis=0) if resized else None
    found_means = (of_films[key] for key in dict.fromkeys((film.database, film.name) for film in films))
    means = [mean for mean in found_means if mean is not None]
    mean = np.mean(means, axis=0) if means else np.zeros(size)
    mean = mean.clip(min=0)  # bicubic undershoot
    if not mean.any():
        raise UserError(
            f"annotations: no density map of the {len(films)} training films shows any gaze. Add annotations of the "
            "training films, which the centre bias is made of."
        )
    return np.round(255 * mean / mean.max()).astype(np.uint8)


def same_map_predictions(saliency_map: np.ndarray, films: Sequence[ListedFilm], split: int) -> list[PredictedVideo]:
    """Returns the films with one map, uint8 [h, w], as the prediction for every frame."""
    return [
        PredictedVideo(film.database, split, film.name, film.num_frames, same_map(saliency_map, film.num_frames))
        for film in films
    ]


def same_map(saliency_map: np.ndarray, num_frames: int) -> dict[int, np.ndarray]:
    """Returns one map for each 1-based frame number of a film."""
    return dict.fromkeys(range(1, num_frames + 1), saliency_map)


def uniform_map(size: tuple[int, int] = (112, 112)) -> np.ndarray:
    """Returns a constant map, uint8 [h, w]."""
    return np.full(size, 128, np.uint8)
