"""How far means over videos would scatter with other videos: 95% percentile bootstrap intervals."""

from collections.abc import Mapping, Sequence

import numpy as np

from stavis_jax.scoring.aggregation import VideoScores
from stavis_jax.scoring.frame_scores import ALL_METRICS

CONFIDENCE = 0.95
RESAMPLES = 10_000
SEED = 0

FilmScores = dict[tuple[str, str], dict[str, float]]  # (database, video) -> metric -> mean over its frames
Intervals = dict[str, tuple[float, float]]  # metric -> lower and upper end


def film_scores(videos: Sequence[VideoScores]) -> FilmScores:
    """One row a film: a film that is tested in several splits is one film, not several independent ones."""
    rows: dict[tuple[str, str], list[dict[str, float]]] = {}
    for video in videos:
        rows.setdefault((video.database, video.video), []).append(video.means())
    return {film: mean_of_rows(of_film) for film, of_film in rows.items()}


def mean_of_rows(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of the metrics that all rows have. A NaN stays."""
    shared = [metric for metric in ALL_METRICS if all(metric in row for row in rows)]
    return {metric: float(np.mean([row[metric] for row in rows])) for metric in shared}


def database_intervals(films: FilmScores, *, seed: int = SEED) -> dict[str, Intervals]:
    """Database -> metric -> interval of the mean over its films. NaN where the mean is, and for a single film."""
    return {database: _interval(means) for database, means in _resampled(films, seed).items()}


def overall_intervals(films: FilmScores, *, seed: int = SEED) -> Intervals:
    """Metric -> interval of the mean of the databases' means; films are drawn within their database."""
    resampled = list(_resampled(films, seed).values())
    shared = [metric for metric in ALL_METRICS if resampled and all(metric in means for means in resampled)]
    return _interval({metric: np.mean([means[metric] for means in resampled], axis=0) for metric in shared})


def interval_of_mean(values: Sequence[float] | np.ndarray, *, seed: int = SEED) -> tuple[float, float]:
    """Percentile interval of the mean of values [V], drawn with replacement. NaN for fewer than two."""
    return _interval({"": _resampled_means(np.asarray(values, np.float64), np.random.default_rng(seed))})[""]


def _resampled(films: FilmScores, seed: int) -> dict[str, dict[str, np.ndarray]]:
    """Database -> metric -> [RESAMPLES] means. All metrics of a database are drawn alike."""
    found = {}
    for database in dict.fromkeys(database for database, _ in films):
        rows = [row for (of_database, _), row in films.items() if of_database == database]
        shared = mean_of_rows(rows)
        values = np.array([[row[metric] for metric in shared] for row in rows]).reshape(len(rows), len(shared))
        means = _resampled_means(values, np.random.default_rng(seed))
        found[database] = dict(zip(shared, means.T, strict=True))
    return found


def _resampled_means(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Values [V] or [V, M] -> [RESAMPLES] or [RESAMPLES, M]."""
    if len(values) < 2:
        return np.full((RESAMPLES, *values.shape[1:]), np.nan)
    times_drawn = rng.multinomial(len(values), np.full(len(values), 1 / len(values)), size=RESAMPLES)
    return times_drawn @ values / len(values)


def _interval(means: Mapping[str, np.ndarray]) -> Intervals:
    tail = (1 - CONFIDENCE) / 2
    return {metric: tuple(np.quantile(drawn, [tail, 1 - tail]).tolist()) for metric, drawn in means.items()}
