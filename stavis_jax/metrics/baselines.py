"""Centre bias: where people look on average, whatever the film shows. A model has to beat it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from data_pipelines.errors import UserError
from data_pipelines.fold_lists import Film
from data_pipelines.raw_layout import RawLayout, read_density
from stavis_jax.metrics.postprocessing import imresize_bicubic
from stavis_jax.metrics.protocol import PredictedVideo

FRAME_STEP = 10  # density maps of neighbouring frames are nearly the same


def centre_bias(
    layout: RawLayout, films: Sequence[Film], *, size: tuple[int, int] = (112, 112), frame_step: int = FRAME_STEP
) -> np.ndarray:
    """Mean density map of the training films, each film with the same weight.

    Args:
        films: what the mean is taken over; leave out the films to be scored.
        size: height and width in pixels.
        frame_step: only every so many frames are read.

    Returns:
        uint8 [h, w], stretched so that its maximum is 255.

    Raises:
        UserError: no film has a density map that is not black.
    """
    of_films = defaultdict(list)
    for film in films:
        for number in range(1, film.num_frames + 1, frame_step):
            path = layout.density_path(film.database, film.name, number)
            if path.is_file():
                of_films[film.database, film.name].append(imresize_bicubic(read_density(path), size))
    mean = np.mean([np.mean(maps, axis=0) for maps in of_films.values()], axis=0) if of_films else np.zeros(size)
    mean = mean.clip(min=0)  # bicubic undershoot
    if not mean.any():
        raise UserError(
            f"{layout.root}: no density map of the {len(films)} training films shows any gaze. "
            "The centre bias needs annotations of the training films."
        )
    return np.round(255 * mean / mean.max()).astype(np.uint8)


def centre_bias_predictions(
    layout: RawLayout, training_films: Sequence[Film], test_films: Sequence[Film], split: int
) -> list[PredictedVideo]:
    """The training films' centre bias as the prediction for every frame of the test films of a split."""
    bias = centre_bias(layout, training_films)
    return [
        PredictedVideo(film.database, split, film.name, film.num_frames, SameMap(bias, film.num_frames))
        for film in test_films
    ]


class SameMap(Mapping[int, np.ndarray]):
    """1-based frame number -> always the same map."""

    def __init__(self, saliency_map: np.ndarray, num_frames: int):
        self._map = saliency_map
        self._num_frames = num_frames

    def __getitem__(self, number: int) -> np.ndarray:
        if number not in self:
            raise KeyError(number)
        return self._map

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and 1 <= number <= self._num_frames

    def __iter__(self) -> Iterator[int]:
        return iter(range(1, self._num_frames + 1))

    def __len__(self) -> int:
        return self._num_frames
