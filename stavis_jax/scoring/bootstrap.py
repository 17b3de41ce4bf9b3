"""95% percentile bootstrap intervals: how much means over films would vary with other films."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from stavis_jax.scoring.frame_scores import shared_metrics

CONFIDENCE = 0.95
RESAMPLES = 10_000
SEED = 0

FilmScores = dict[tuple[str, str], dict[str, float]]  # (database, video) -> metric -> mean over the film's frames
Interval = tuple[float, float]  # lower and upper end; NaN if the mean is NaN or over fewer than two films


@dataclasses.dataclass(frozen=True)
class Intervals:
    """Intervals of the means of one method.

    Attributes:
        overall: metric -> interval of the mean of the databases' means. Films are drawn within their database.
        databases: database -> metric -> interval of the mean over its films.
    """

    overall: dict[str, Interval]
    databases: dict[str, dict[str, Interval]]


def bootstrap_intervals(
    films: FilmScores, counts: Mapping[tuple[str, str], Mapping[str, int]] | None = None, *, seed: int = SEED
) -> Intervals:
    """Returns the intervals of all means over films.

    Args:
        counts: film -> metric -> number of its frames, if means are over frames. Films are drawn in this case too.
    """
    drawn = {database: _resampled(films, database, seed, counts) for database in dict.fromkeys(key[0] for key in films)}
    overall = {
        metric: np.mean([means[metric] for means in drawn.values()], axis=0)
        for metric in shared_metrics(drawn.values())
    }
    return Intervals(_ends(overall), {database: _ends(means) for database, means in drawn.items()})


def interval_of_mean(values: Sequence[float] | np.ndarray, *, seed: int = SEED) -> Interval:
    """Returns the interval of the mean of values [V], drawn with replacement."""
    return _ends({"": _resampled_means(np.asarray(values, np.float64), seed)})[""]


def _resampled(
    films: FilmScores, database: str, seed: int, counts: Mapping[tuple[str, str], Mapping[str, int]] | None
) -> dict[str, np.ndarray]:
    """Returns metric -> [RESAMPLES] means over drawn films of a database. All metrics share the draws."""
    of_database = {film: row for film, row in films.items() if film[0] == database}
    metrics = shared_metrics(of_database.values())
    values = np.array([[row[metric] for metric in metrics] for row in of_database.values()])
    values = values.reshape(len(of_database), len(metrics))
    if counts is None:
        return dict(zip(metrics, _resampled_means(values, seed).T, strict=True))
    weights = np.array([[counts[film][metric] for metric in metrics] for film in of_database], np.float64)
    sums = _resampled_means(np.where(weights > 0, values, 0) * weights, seed)
    with np.errstate(invalid="ignore"):  # only films without a value may have been drawn
        return dict(zip(metrics, (sums / _resampled_means(weights, seed)).T, strict=True))


def _resampled_means(values: np.ndarray, seed: int) -> np.ndarray:
    """Returns means [RESAMPLES] of values [V], or [RESAMPLES, M] of values [V, M]."""
    if len(values) < 2:
        return np.full((RESAMPLES, *values.shape[1:]), np.nan)
    shares = np.full(len(values), 1 / len(values))
    times_drawn = np.random.default_rng(seed).multinomial(len(values), shares, size=RESAMPLES)
    return times_drawn @ values / len(values)


def _ends(means: Mapping[str, np.ndarray]) -> dict[str, Interval]:
    tail = (1 - CONFIDENCE) / 2
    return {metric: tuple(np.quantile(drawn, [tail, 1 - tail]).tolist()) for metric, drawn in means.items()}
