"""Compares two result sets film by film: mean differences, their intervals, sign tests."""

import dataclasses
import math

import numpy as np
import scipy.stats

from data_pipelines.runtime.errors import UserError
from stavis_jax.scoring.bootstrap import SEED, FilmScores, interval_of_mean
from stavis_jax.scoring.frame_scores import ALL_METRICS, LOWER_IS_BETTER

ALL_FILMS = "all films"


@dataclasses.dataclass(frozen=True)
class Difference:
    """One metric over the films of a database: ours minus the other's, film by film.

    Attributes:
        films: number of films.
        mean: mean difference.
        low, high: ends of its 95% percentile bootstrap interval over films, NaN for one film.
        better, worse, equal: number of films where ours is better, worse, the same. For KL, lower is better.
        p_value: two-sided sign test over the films that are not equal, 1 if all are.
    """

    database: str
    metric: str
    films: int
    mean: float
    low: float
    high: float
    better: int
    worse: int
    equal: int
    p_value: float


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two result sets, film by film.

    Attributes:
        differences: one for each database and metric, and for all films together.
        films: (database, video) -> metric -> ours minus the other's, NaN where one has no value.
        only_ours, only_other: number of films that only one of the two has. They are left out.
        title: the names of the two result sets.
    """

    differences: list[Difference]
    films: FilmScores
    only_ours: int
    only_other: int
    title: str = ""


def compare(
    ours: FilmScores, other: FilmScores, *, names: tuple[str, str] = ("ours", "other"), seed: int = SEED
) -> Comparison:
    """Compares the films that two result sets share. A film counts for a metric if both have a value.

    `names` are those of the two result sets. Raises UserError if they share no film.
    """
    shared = [film for film in ours if film in other]
    if not shared:
        raise UserError("--compare: the two result sets share no film. Compare results on the same data.")
    films = {
        film: {metric: ours[film][metric] - other[film][metric] for metric in ours[film] if metric in other[film]}
        for film in shared
    }
    rows = []
    for database in (*dict.fromkeys(database for database, _ in shared), ALL_FILMS):
        chosen = [row for film, row in films.items() if database in (film[0], ALL_FILMS)]
        for metric in ALL_METRICS:
            values = np.array([row.get(metric, math.nan) for row in chosen])
            if len(values := values[~np.isnan(values)]):
                rows.append(_difference(database, metric, values, seed))
    title = f"{names[0]} minus {names[1]}, film by film"
    return Comparison(rows, films, len(ours) - len(shared), len(other) - len(shared), title)


def _difference(database: str, metric: str, values: np.ndarray, seed: int) -> Difference:
    gains = -values if metric in LOWER_IS_BETTER else values
    better, worse = int((gains > 0).sum()), int((gains < 0).sum())
    p_value = float(scipy.stats.binomtest(better, better + worse).pvalue) if better + worse else 1.0
    low, high = interval_of_mean(values, seed=seed)
    return Difference(
        database, metric, len(values), float(values.mean()), low, high, better, worse, int((gains == 0).sum()), p_value
    )
