"""Scores that an earlier run wrote: files -> frames, video by video."""

import csv
import json
import math
from pathlib import Path

import numpy as np

from data_pipelines.runtime.errors import UserError
from stavis_jax.scoring.aggregation import VideoScores
from stavis_jax.scoring.frame_scores import ALL_METRICS

KEYS = ("method", "database", "split", "video")


def read_frame_scores(folder: Path) -> dict[str, list[VideoScores]]:
    """Method -> its videos, out of the results.json and frames.csv that `tables.write_results` wrote.

    Raises:
      UserError: a file cannot be read or is not one.
    """
    methods: dict[str, list[VideoScores]] = {}
    try:
        with (folder / "frames.csv").open(encoding="utf-8", newline="") as file:
            frames: dict[tuple[str, ...], list[dict[str, str]]] = {}
            for row in csv.DictReader(file):
                frames.setdefault(tuple(row[key] for key in KEYS), []).append(row)
        for video in json.loads((folder / "results.json").read_text(encoding="utf-8"))["videos"]:
            rows = frames[tuple(str(video[key]) for key in KEYS)]
            # Which metrics were scored is told here: in the frames a blank is also a frame without a value.
            values = {
                metric: np.array([float(row[metric] or math.nan) for row in rows])
                for metric in ALL_METRICS
                if metric in video
            }
            numbers = np.array([int(row["frame"]) for row in rows])
            scores = VideoScores(video["database"], video["split"], video["video"], numbers, values)
            methods.setdefault(video["method"], []).append(scores)
    except (OSError, KeyError, ValueError, TypeError, RecursionError, csv.Error) as error:
        raise UserError(f"{folder}: holds no scores that can be read ({error!r}). Score again.") from None
    return methods
