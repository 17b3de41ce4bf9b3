"""Writes scores to results.json and CSV files."""

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.runtime.atomic import write_csv, write_text
from stavis_jax.reports.score_tables import metrics_of, score_tables
from stavis_jax.reports.tables import Table
from stavis_jax.scoring import bootstrap
from stavis_jax.scoring.aggregation import Results, VideoScores
from stavis_jax.scoring.comparison import ALL_FILMS, Comparison, Difference
from stavis_jax.scoring.frame_scores import ALL_METRICS, LOWER_IS_BETTER, METRICS

KEYS = ("method", "database", "split", "video")


def results_json(methods: Mapping[str, Results]) -> dict[str, Any]:
    """Returns the content of results.json: means of each method, database and video; intervals; null for NaN."""
    *databases, overall = score_tables(methods)
    videos = [
        {**_key(name, video), "frames": len(video.frames), **video.means()}
        for name, results in methods.items()
        for video in results.videos
    ]
    intervals = {
        "confidence": bootstrap.CONFIDENCE,
        "method": "percentile bootstrap over films",
        "resamples": bootstrap.RESAMPLES,
        "seed": bootstrap.SEED,
        "methods": _by_row(overall, "interval"),
        "databases": {table.title: _by_row(table, "interval") for table in databases},
    }
    content = {
        "methods": _by_row(overall, "value"),
        "databases": {table.title: _by_row(table, "value") for table in databases},
        "intervals": intervals,
        "lower_is_better": sorted(LOWER_IS_BETTER),
        "videos": videos,
    }
    return without_nan(content)


def write_results(
    output: Path, methods: Mapping[str, Results], more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Writes results.json, databases.csv, results.csv (a line per video) and frames.csv (a line per frame).

    Each file is written whole or not at all.

    Args:
        more: added to results.json.

    Returns:
        The content of results.json.
    """
    output.mkdir(parents=True, exist_ok=True)
    content = {**results_json(methods), **(more or {})}
    metrics = _csv_metrics(metrics_of(methods))
    write_csv(output / "frames.csv", [*KEYS, "frame", *metrics], _frame_lines(methods, metrics))
    columns = [*KEYS, "frames", *metrics]
    write_csv(output / "results.csv", columns, [list(map(video.get, columns)) for video in content["videos"]])
    ends = [f"{metric}{end}" for metric in metrics for end in ("", " low", " high")]
    write_csv(output / "databases.csv", ["method", "database", *ends], _database_lines(score_tables(methods), metrics))
    write_json(output / "results.json", content)
    return content


def write_comparison(output: Path, comparison: Comparison, more: Mapping[str, Any] | None = None) -> None:
    """Writes comparison.csv (a line per database and metric), comparison_films.csv and comparison.json."""
    output.mkdir(parents=True, exist_ok=True)
    rows = without_nan([dataclasses.asdict(row) for row in comparison.differences])
    films = without_nan(list(comparison.films.values()))
    metrics = _csv_metrics({metric for row in films for metric in row})
    lines = [[*film, *map(row.get, metrics)] for film, row in zip(comparison.films, films, strict=True)]
    write_csv(output / "comparison_films.csv", ["database", "video", *metrics], lines)
    columns = [field.name for field in dataclasses.fields(Difference)]
    write_csv(output / "comparison.csv", columns, [list(row.values()) for row in rows])
    content = {
        "differences": rows,
        "only_ours": comparison.only_ours,
        "only_other": comparison.only_other,
        "all_films": ALL_FILMS,
        "test": "two-sided sign test over films; interval: percentile bootstrap over films",
        **(more or {}),
    }
    write_json(output / "comparison.json", content)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a JSON file, whole or not at all. NaN is written as null."""
    write_text(path, json.dumps(without_nan(content), indent=2, allow_nan=False) + "\n")


def without_nan(value: Any) -> Any:
    """Returns a value with None in place of NaN, in nested dicts, lists and tuples too."""
    if isinstance(value, Mapping):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _by_row(table: Table, attribute: str) -> dict[str, dict[str, Any]]:
    """Returns method -> metric -> value or interval of its cell."""
    return {
        row.name: {
            column.name: getattr(cell, attribute)
            for column, cell in zip(table.columns, row.cells, strict=True)
            if cell.value is not None
        }
        for row in table.rows
    }


def _database_lines(tables: list[Table], metrics: list[str]) -> Iterable[list]:
    """Yields a line for each database and method, at the end the mean of databases."""
    for table in tables:
        values, intervals = without_nan(_by_row(table, "value")), _by_row(table, "interval")
        for name, scores in values.items():
            cells = [(scores.get(metric), *(intervals[name].get(metric) or (None, None))) for metric in metrics]
            yield [name, table.title, *(item for cell in cells for item in cell)]


def _frame_lines(methods: Mapping[str, Results], metrics: list[str]) -> Iterable[list]:
    for name, results in methods.items():
        for video in results.videos:
            missing = np.full(video.frames.size, np.nan)
            values = (video.values.get(metric, missing) for metric in metrics)
            columns = ([None if math.isnan(value) else value for value in of_metric.tolist()] for of_metric in values)
            for frame, *scores in zip(video.frames.tolist(), *columns, strict=True):
                yield [*_key(name, video).values(), frame, *scores]


def _key(method: str, video: VideoScores) -> dict[str, Any]:
    return dict(zip(KEYS, (method, video.database, video.split, video.video), strict=True))


def _csv_metrics(scored: Iterable[str]) -> list[str]:
    """Returns the paper's five metrics, and the other ones that were scored."""
    scored = set(scored)
    return [metric for metric in ALL_METRICS if metric in METRICS or metric in scored]
