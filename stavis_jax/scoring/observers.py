"""What people themselves reach: gaze of some observers as the prediction of others' gaze. A floor and a ceiling.

annotations/<database>/<video>/observers.csv has the columns observer, frame, x, y: frame from 1, x and y in pixels of
the annotation, from 0 at the left and the top.

- single-observer: each observer predicts all the others.
- all-others: all the others predict each observer.
- infinite-observers: groups of n observers predict other groups of n, for n = 1, 2, 4, .. up to half of all; the scores
  are extrapolated to infinitely many by fitting a + b/n, and a is reported. After T. Judd, F. Durand, A. Torralba, "A
  benchmark of computational models of saliency to predict human fixations", 2012, who fit a power of n with a free
  exponent; with few observers that is not determined, so the exponent is -1 here. It is an estimate, not a bound.
"""

import csv
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data_pipelines.raw.layout import OBSERVER_COLUMNS
from data_pipelines.runtime.errors import UserError
from stavis_jax.scoring.aggregation import VideoScores
from stavis_jax.scoring.frame_scores import METRICS, score_map

SINGLE_OBSERVER, ALL_OTHERS, INFINITE_OBSERVERS = "single-observer", "all-others", "infinite-observers"
OBSERVER_BASELINES = (SINGLE_OBSERVER, ALL_OTHERS, INFINITE_OBSERVERS)
SIGMA_OF_WIDTH = 1 / 20
FRAME_STEP = 10  # gaze hardly moves from one frame to the next, and every frame is scored many times
DRAWS = 5  # pairs of groups of each size

Points = dict[int, dict[str, np.ndarray]]  # frame -> observer -> int [P, 2] rows and columns


def read_observers(path: Path, shape: tuple[int, int]) -> Points:
    """Gaze of each observer. Points outside the frame, or that are no numbers (blinks), are left out.

    Raises UserError if a column is missing or a frame is no number.
    """
    found: dict[int, dict[str, list[tuple[int, int]]]] = {}
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if missing := [column for column in OBSERVER_COLUMNS if column not in (rows.fieldnames or ())]:
                raise UserError(f"{path}: has no column {', '.join(missing)}. Expected {', '.join(OBSERVER_COLUMNS)}.")
            for row in rows:
                try:
                    number, x, y = int(row["frame"]), float(row["x"] or "nan"), float(row["y"] or "nan")
                except (TypeError, ValueError):
                    raise UserError(f"{path}, line {rows.line_num}: frame, x and y are to be numbers.") from None
                if -0.5 <= x < shape[1] - 0.5 and -0.5 <= y < shape[0] - 0.5:
                    point = (int(np.floor(y + 0.5)), int(np.floor(x + 0.5)))
                    found.setdefault(number, {}).setdefault(row["observer"], []).append(point)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a readable table ({error}). Write it again.") from None
    return {
        number: {observer: np.array(points) for observer, points in of_frame.items()}
        for number, of_frame in found.items()
    }


def score_observers(
    kind: str,
    database: str,
    split: int,
    video: str,
    num_frames: int,
    points: Points,
    shape: tuple[int, int],
    *,
    first_frame: int,
    sigma_pixels: float | None = None,
    frame_step: int = FRAME_STEP,
    seed: int = 0,
) -> VideoScores:
    """One of `OBSERVER_BASELINES` on one video, [H, W] = `shape`. Frames with too few observers are left out.

    Gaze becomes a map by a Gaussian at each point, of `sigma_pixels` (by default a 20th of the width); both the
    prediction and the density it is compared with are made so. Only every so many frames are scored.
    """
    sigma = sigma_pixels or SIGMA_OF_WIDTH * shape[1]
    union = np.zeros(shape, np.uint8)
    for of_frame in points.values():
        for places in of_frame.values():
            union[places[:, 0], places[:, 1]] = 1
    score = {
        SINGLE_OBSERVER: _single_observer,
        ALL_OTHERS: _all_others,
        INFINITE_OBSERVERS: _infinite_observers,
    }[kind]
    frames, rows = [], []
    for number in range(first_frame, num_frames + 1, frame_step):
        places = [of_observer for _, of_observer in sorted(points.get(number, {}).items())]
        rng = np.random.default_rng([seed, zlib.crc32(f"{database}/{video}".encode()), number])
        if len(places) >= (4 if kind == INFINITE_OBSERVERS else 2):
            maps = [_density(of_observer, shape, sigma) for of_observer in places]
            rows.append(score(places, maps, union, rng))
            frames.append(number)
    metrics = rows[0] if rows else METRICS
    values = {metric: np.array([row[metric] for row in rows], np.float64) for metric in metrics}
    return VideoScores(database, split, video, np.array(frames, int), values)


def _single_observer(places: Sequence, maps: Sequence, union: np.ndarray, rng: np.random.Generator) -> dict:
    everyone = range(len(places))
    return _mean([_score(places, maps, [one], [i for i in everyone if i != one], union) for one in everyone])


def _all_others(places: Sequence, maps: Sequence, union: np.ndarray, rng: np.random.Generator) -> dict:
    everyone = range(len(places))
    return _mean([_score(places, maps, [i for i in everyone if i != one], [one], union) for one in everyone])


def _infinite_observers(places: Sequence, maps: Sequence, union: np.ndarray, rng: np.random.Generator) -> dict:
    sizes = [2**k for k in range(len(places)) if 2 ** (k + 1) <= len(places)]
    of_sizes = []
    for size in sizes:
        drawn = [rng.permutation(len(places))[: 2 * size] for _ in range(DRAWS)]
        of_sizes.append(_mean([_score(places, maps, chosen[:size], chosen[size:], union) for chosen in drawn]))
    design = np.stack([np.ones(len(sizes)), 1 / np.array(sizes)], axis=1)
    scores = np.array([list(row.values()) for row in of_sizes])
    return dict(zip(of_sizes[0], np.linalg.pinv(design)[0] @ scores, strict=True))


def _score(places: Sequence, maps: Sequence, predicting: Sequence[int], predicted: Sequence[int], union: np.ndarray):
    """The gaze of some observers as the prediction of others'."""
    fixation_map = np.zeros(union.shape, np.uint8)
    for index in predicted:
        fixation_map[places[index][:, 0], places[index][:, 1]] = 1
    return score_map(sum(maps[i] for i in predicting), sum(maps[i] for i in predicted), fixation_map, union)


def _density(places: np.ndarray, shape: tuple[int, int], sigma: float) -> np.ndarray:
    """Sum of a Gaussian at each place [P, 2] -> float64 [H, W]."""
    rows, columns = (
        np.exp(-0.5 * ((np.arange(size) - centres[:, None]) / sigma) ** 2)
        for size, centres in zip(shape, places.T, strict=True)
    )
    return np.einsum("ph,pw->hw", rows, columns) / len(places)


def _mean(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {metric: float(np.mean([row[metric] for row in rows])) for metric in rows[0]}
