"""Reads scores from the files of an earlier run."""

import csv
import json
import math
from pathlib import Path

import numpy as np

from data_pipelines.runtime.errors import UserError, reason
from data_pipelines.runtime.text_files import open_text, read_text
from stavis_jax.reports.results_files import KEYS
from stavis_jax.scoring.aggregation import VideoScores
from stavis_jax.scoring.bootstrap import FilmScores
from stavis_jax.scoring.frame_scores import ALL_METRICS, mean_scores


def read_frame_scores(folder: Path) -> dict[str, list[VideoScores]]:
    """Reads method -> its videos from the results.json and frames.csv of `results_files.write_results`.

    Raises:
        UserError: a file cannot be read.
    """
    methods: dict[str, list[VideoScores]] = {}
    try:
        with open_text(folder / "frames.csv", newline="") as file:
            frames: dict[tuple[str, ...], list[dict[str, str]]] = {}
            for row in csv.DictReader(file):
                frames.setdefault(tuple(row[key] for key in KEYS), []).append(row)
        for video in json.loads(read_text(folder / "results.json"))["videos"]:
            rows = frames[tuple(str(video[key]) for key in KEYS)]
            # results.json lists which metrics were scored: a blank in frames.csv may also be a frame without a value.
            values = {
                metric: np.array([float(row[metric] or math.nan) for row in rows])
                for metric in ALL_METRICS
                if metric in video
            }
            numbers = np.array([int(row["frame"]) for row in rows])
            scores = VideoScores(video["database"], video["split"], video["video"], numbers, values)
            methods.setdefault(video["method"], []).append(scores)
    except (OSError, KeyError, ValueError, TypeError, OverflowError, RecursionError, csv.Error) as error:
        raise UserError(f"{folder}: holds no scores that can be read ({reason(error)}). Score again.") from None
    return methods


def read_film_scores(path: Path, method: str | None = None) -> FilmScores:
    """Reads film scores from a results.json that `evaluate` or a training wrote, or from the folder that holds it.

    Raises UserError if it cannot be read, or if it holds several methods and `method` names none of them.
    """
    file = path / "results.json" if path.is_dir() else path
    try:
        videos = json.loads(read_text(file))["videos"]
        methods = list(dict.fromkeys(video["method"] for video in videos))
        keys = [(video["database"], video["video"]) for video in videos]
        scores = [{name: _score(video[name]) for name in ALL_METRICS if name in video} for video in videos]
        if not all(isinstance(name, str) for name in (*methods, *(part for key in keys for part in key))):
            raise TypeError("a name is not a string")
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise UserError(f"{file}: not a results.json ({reason(error)}). Give a folder that evaluate wrote.") from None
    if not methods:
        raise UserError(f"{file}: not a results.json (it has no videos). Give a folder that evaluate wrote.")
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
    return {film: mean_scores(of_film) for film, of_film in rows.items()}


def _score(value: object) -> float:
    """Returns the mean of a metric over a video's frames. results.json holds null for NaN."""
    if value is None:
        return math.nan
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{value!r} is not a score")
    return float(value)
