"""Scores observers against each other: the gaze of some as the prediction of the gaze of others.

- single-observer: each observer predicts all the others.
- all-others: all the others predict each observer.
- infinite-observers: groups of n observers predict other groups of n, for n = 1, 2, 4, .. up to half of all. The scores
  are extrapolated to infinitely many observers: a + b/n is fitted, a is reported. It is an estimate, not a bound.
  Source: T. Judd, F. Durand, A. Torralba, "A benchmark of computational models of saliency to predict human fixations",
  2012. They fit a power of n with a free exponent. A few observers do not determine it, so it is -1 here.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from data_pipelines.runtime.processes import in_parallel, workers_for
from data_pipelines.shards.annotations import AnnotationSource, RawAnnotations
from stavis_jax.scoring.aggregation import VideoScores
from stavis_jax.scoring.frame_scores import frame_generator, mean_scores, score_frame
from stavis_jax.scoring.observers import ObserverPoints, read_observers
from stavis_jax.scoring.protocol import FIRST_SCORED_FRAME, PredictedVideo, columns_of

SINGLE_OBSERVER, ALL_OTHERS, INFINITE_OBSERVERS = "single-observer", "all-others", "infinite-observers"
OBSERVER_BASELINES = (SINGLE_OBSERVER, ALL_OTHERS, INFINITE_OBSERVERS)
SIGMA_OF_WIDTH = 1 / 20
DRAWS = 5  # pairs of groups of each size


@dataclasses.dataclass(frozen=True)
class ObserverBaseline:
    """One of `OBSERVER_BASELINES`, with its settings.

    Attributes:
        sigma_pixels: Gaussian at each point of gaze, which makes gaze a map; a 20th of the width by default.
        frame_step: scores every `frame_step`-th frame from `first_frame` on. Gaze hardly moves from one frame to the
            next, and every frame is scored many times.
        seed: groups of infinite-observers.
    """

    kind: str
    first_frame: int = FIRST_SCORED_FRAME
    sigma_pixels: float | None = None
    frame_step: int = 10
    seed: int = 0

    def score(self, video: PredictedVideo, points: ObserverPoints, shape: tuple[int, int]) -> VideoScores:
        """Scores one video with annotations [H, W] of the given shape; its maps are not used.

        Leaves out frames with too few observers.
        """
        sigma = self.sigma_pixels or SIGMA_OF_WIDTH * shape[1]
        everywhere = [places for of_frame in points.values() for places in of_frame.values()]
        union = None if video.is_still else _fixation_map(everywhere, shape)
        frames, rows = [], []
        for number in video.frames_from(self.first_frame, self.frame_step):
            places = [of_observer for _, of_observer in sorted(points.get(number, {}).items())]
            if len(places) < (4 if self.kind == INFINITE_OBSERVERS else 2):
                continue
            frame = _ObservedFrame(places, [_density(of_observer, shape, sigma) for of_observer in places], union)
            rng = frame_generator(self.seed, video.database, video.video, number)
            rows.append(frame.extrapolated(rng) if self.kind == INFINITE_OBSERVERS else frame.one_out(self.kind))
            frames.append(number)
        return VideoScores(video.database, video.split, video.video, *columns_of(frames, rows))


@dataclasses.dataclass(frozen=True)
class _ObservedFrame:
    """One frame.

    Attributes:
        places: pixels of each observer's gaze, int [P, 2].
        maps: density of each observer's gaze, float64 [H, W].
        union: uint8 [H, W], 1 where any frame of the video is fixated; None for a still.
    """

    places: Sequence[np.ndarray]
    maps: Sequence[np.ndarray]
    union: np.ndarray | None

    def one_out(self, kind: str) -> dict[str, float]:
        """Returns the mean over observers of the score between the observer and all the others."""
        everyone = range(len(self.places))
        pairs = [([one], [other for other in everyone if other != one]) for one in everyone]
        return mean_scores(self._score(*(pair if kind == SINGLE_OBSERVER else pair[::-1])) for pair in pairs)

    def extrapolated(self, rng: np.random.Generator) -> dict[str, float]:
        """Returns the scores of groups of n observers, extrapolated to infinite n."""
        count = len(self.places)
        sizes = [2**k for k in range(count) if 2 ** (k + 1) <= count]
        of_sizes = []
        for size in sizes:
            drawn = [rng.permutation(count)[: 2 * size] for _ in range(DRAWS)]
            of_sizes.append(mean_scores(self._score(chosen[:size], chosen[size:]) for chosen in drawn))
        design = np.stack([np.ones(len(sizes)), 1 / np.array(sizes)], axis=1)
        scores = np.array([list(row.values()) for row in of_sizes])
        return dict(zip(of_sizes[0], np.linalg.pinv(design)[0] @ scores, strict=True))

    def _score(self, predicting: Iterable[int], predicted: Iterable[int]) -> dict[str, float]:
        """Scores the gaze of some observers as the prediction of the gaze of others."""
        prediction, density_map = (np.sum([self.maps[i] for i in of], axis=0) for of in (predicting, predicted))
        fixation_map = _fixation_map([self.places[i] for i in predicted], self.maps[0].shape)
        return score_frame(prediction, density_map, fixation_map, self.union)


def score_observers_of_videos(
    baseline: ObserverBaseline,
    annotations: AnnotationSource,
    videos: Sequence[PredictedVideo],
    *,
    workers: int | None = None,
) -> tuple[list[VideoScores], list[str]]:
    """Returns the scores of the videos that have an observers.csv, and the names of those without one.

    Only a raw data folder has such files.
    """
    layout = annotations.layout if isinstance(annotations, RawAnnotations) else None
    known = [video for video in videos if layout and layout.observers_path(video.database, video.video).is_file()]
    without = [f"{video.database}/{video.video}" for video in videos if video not in known]
    jobs = ((baseline, annotations, dataclasses.replace(video, maps={})) for video in known)  # maps are large
    with workers_for(len(known), workers) as executor:
        scores = dict(in_parallel(executor, _score_video, jobs))
    return [scores[index] for index in range(len(known))], list(dict.fromkeys(without))


def _score_video(baseline: ObserverBaseline, annotations: RawAnnotations, video: PredictedVideo) -> VideoScores:
    numbers = range(1, video.num_frames + 1)
    density_maps = (annotations.density(video.database, video.video, number) for number in numbers)
    shape = next((found.shape for found in density_maps if found is not None), (1, 1))
    points = read_observers(annotations.layout.observers_path(video.database, video.video), shape)
    return baseline.score(video, points, shape)


def _fixation_map(places: Sequence[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Returns uint8 [H, W], 1 at each place."""
    fixation_map = np.zeros(shape, np.uint8)
    for of_observer in places:
        fixation_map[of_observer[:, 0], of_observer[:, 1]] = 1
    return fixation_map


def _density(places: np.ndarray, shape: tuple[int, int], sigma: float) -> np.ndarray:
    """Returns the mean of Gaussians at the places [P, 2], float64 [H, W]."""
    rows, columns = (
        np.exp(-0.5 * ((np.arange(size) - centres[:, None]) / sigma) ** 2)
        for size, centres in zip(shape, places.T, strict=True)
    )
    return np.einsum("ph,pw->hw", rows, columns) / len(places)
