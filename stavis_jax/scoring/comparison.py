"""Two result sets over the same films: is one better, or does it only look so?"""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import scipy.stats

from data_pipelines.runtime.errors import UserError
from stavis_jax.scoring.bootstrap import SEED, FilmScores, interval_of_mean, mean_of_rows
from stavis_jax.scoring.frame_scores import ALL_METRICS, LOWER_IS_BETTER

ALL_FILMS = "all films"


@dataclasses.dataclass(frozen=True)
class Difference:
    """One metric over the films of a database, ours minus the other's, film by film.

    Attributes:
        mean: mean difference; low, high: its 95% percentile bootstrap interval over films (NaN for one film).
        better, worse, equal: films where ours is better, worse (for KL: higher), the same.
        p_value: two-sided sign test over the films that are not equal; 1 if all are.
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
        differences: a row for each database and metric, and for all films together.
        films: (database, video) -> metric -> ours minus the other's; NaN where one has no value.
        only_ours, only_other: how many films one of the two lacks; they are left out.
    """

    differences: list[Difference]
    films: FilmScores
    only_ours: int
    only_other: int


def compare(ours: FilmScores, other: FilmScores, *, seed: int = SEED) -> Comparison:
    """Pairs the films of two result sets. A film without a value in one of them leaves that metric's rows.

    Raises UserError if they share no film.
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
    return Comparison(rows, films, len(ours) - len(shared), len(other) - len(shared))


def read_film_scores(path: Path, method: str | None = None) -> FilmScores:
    """Film scores out of a results.json that `evaluate` or a training wrote, or out of the folder that holds one.

    Raises UserError if it cannot be read, or holds several methods and none is named.
    """
    file = path / "results.json" if path.is_dir() else path
    try:
        videos = json.loads(file.read_text(encoding="utf-8"))["videos"]
        methods = list(dict.fromkeys(video["method"] for video in videos))
        keys = [(video["database"], video["video"]) for video in videos]
        scores = [{name: _score(video[name]) for name in ALL_METRICS if name in video} for video in videos]
        if not all(isinstance(name, str) for name in (*methods, *(part for key in keys for part in key))):
            raise TypeError("a name is no text")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{file}: not a results.json ({error!r}). Give a folder that evaluate has written.") from None
    if not methods:
        raise UserError(f"{file}: not a results.json (it has no videos). Give a folder that evaluate has written.")
    if method is None and len(methods) == 1:
        (method,) = methods
    if method not in methods:
        raise UserError(
            f"{file}: holds the methods {', '.join(methods)}. Name one with --compare-method, as in "
            f"--compare-method {methods[-1]}."
        )
    rows: dict[tuple[str, str], list[dict[str, float]]] = {}
    for key, video, of_video in zip(keys, videos, scores, strict=True):
        if video["method"] == method:
            rows.setdefault(key, []).append(of_video)
    return {film: mean_of_rows(of_film) for film, of_film in rows.items()}


def _score(value: object) -> float:
    """A metric's mean over a video's frames; None for NaN, as results.json has it."""
    if value is None:
        return math.nan
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{value!r} is no score")
    return float(value)


def _difference(database: str, metric: str, values: np.ndarray, seed: int) -> Difference:
    gains = -values if metric in LOWER_IS_BETTER else values
    better, worse = int((gains > 0).sum()), int((gains < 0).sum())
    p_value = float(scipy.stats.binomtest(better, better + worse).pvalue) if better + worse else 1.0
    low, high = interval_of_mean(values, seed=seed)
    return Difference(
        database, metric, len(values), float(values.mean()), low, high, better, worse, int((gains == 0).sum()), p_value
    )
