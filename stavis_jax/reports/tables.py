"""Scores as tables: on the terminal, as markdown, as JSON and CSV."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from data_pipelines.runtime.atomic import write_csv, write_text
from data_pipelines.runtime.errors import one_line
from stavis_jax.scoring import bootstrap
from stavis_jax.scoring.aggregation import Results
from stavis_jax.scoring.comparison import ALL_FILMS, Comparison
from stavis_jax.scoring.frame_scores import ALL_METRICS, LOWER_IS_BETTER, METRICS

Scores = Mapping[str, float | None]  # metric -> value; None or NaN where undefined
DECIMALS = {"NSS": 2, "KL": 3, "IG": 3}  # NSS as the paper prints it; the others, all within [-1, 1], get four
UNDEFINED = "n/a"
NAME_WIDTH = 11  # columns of the terminal, at least
MEAN_OF_DATABASES = "mean of databases"
DIFFERENCE_COLUMNS = ("database", "metric", "films", "mean", "low", "high", "better", "worse", "equal", "p_value")


def print_table(
    methods: Mapping[str, Scores],
    title: str,
    *,
    heading: str = "method",
    intervals: Mapping[str, bootstrap.Intervals] | None = None,
    notes: Sequence[str] = (),
    console: Console | None = None,
) -> None:
    """Prints one row a method (or a database: `heading`), one column a metric.

    The five metrics of the paper, of which higher is better, then what else was scored; a heading says where lower is
    better. `intervals`, row by row, stand below the values. `notes` are lines under the table.
    """
    metrics = _columns(methods)
    # No frame: eight metrics and a name fit on 80 columns.
    table = Table(
        title=Text(one_line(title), "table.title"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column(heading, overflow="fold", min_width=NAME_WIDTH)
    for metric in metrics:
        table.add_column(_heading(metric, "\n").replace("-others", "-\nothers"), justify="right", no_wrap=True)
    for name, scores in methods.items():
        ends = (intervals or {}).get(name, {})
        shown = [_formatted({metric: end[i] for metric, end in ends.items()}, metrics) for i in (0, 1)]
        table.add_row(Text(one_line(name)), *_formatted(scores, metrics))  # names are not markup, whatever is in them
        if any(cell != UNDEFINED for cell in shown[0]):
            table.add_row("  95% from", *shown[0], style="dim")
            table.add_row("  to", *shown[1], style="dim")
    console = console or Console()
    console.print(table)
    for note in notes:
        console.print(note, markup=False, highlight=False)


def markdown_table(methods: Mapping[str, Scores], *, heading: str = "method") -> str:
    """The same table as markdown text, without intervals."""
    metrics = _columns(methods)
    headings = [_heading(metric, " ") for metric in metrics]
    lines = [f"| {heading} | {' | '.join(headings)} |", "|---|" + "---:|" * len(metrics)]
    lines += [f"| {name} | {' | '.join(_formatted(scores, metrics))} |" for name, scores in methods.items()]
    return "\n".join(lines) + "\n"


def print_comparison(comparison: Comparison, title: str, *, console: Console | None = None) -> None:
    """Prints the mean differences with their intervals and sign tests, database by database.

    Films that are equal in both are in neither count and not in the test.
    """
    table = Table(title=Text(one_line(title), "table.title"), title_justify="left")
    for column in ("database", "metric"):
        table.add_column(column, overflow="fold")
    for column in ("mean", "95% from", "to", "better\n/worse", "p"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in comparison.differences:
        ends = ("", "") if math.isnan(row.low) else (f"{row.low:+.4f}", f"{row.high:+.4f}")
        counts = f"{row.better}/{row.worse}"
        table.add_row(
            Text(one_line(row.database)),
            _heading(row.metric, "\n"),
            f"{row.mean:+.4f}",
            *ends,
            counts,
            f"{row.p_value:.2g}",
        )
    (console or Console()).print(table)


def results_json(methods: Mapping[str, Results]) -> dict[str, Any]:
    """What results.json holds, method by method: the overall mean, each database's, each video's; intervals.

    None for a NaN, and for the ends of an interval over a single film.
    """
    films = {name: bootstrap.film_scores(results.videos) for name, results in methods.items()}
    databases = dict.fromkeys(database for results in methods.values() for database in results.databases)
    return {
        "methods": {name: _nan_as_none(results.overall) for name, results in methods.items()},
        "databases": {
            database: {
                name: _nan_as_none(results.databases[database])
                for name, results in methods.items()
                if database in results.databases
            }
            for database in databases
        },
        "intervals": {
            "confidence": bootstrap.CONFIDENCE,
            "method": "percentile bootstrap over films",
            "resamples": bootstrap.RESAMPLES,
            "seed": bootstrap.SEED,
            "methods": {name: _ends_or_none(bootstrap.overall_intervals(films[name])) for name in methods},
            "databases": _by_database(
                {
                    name: {
                        database: _ends_or_none(ends)
                        for database, ends in bootstrap.database_intervals(films[name]).items()
                    }
                    for name in methods
                }
            ),
        },
        "lower_is_better": sorted(LOWER_IS_BETTER),
        "videos": [
            {
                "method": name,
                "database": video.database,
                "split": video.split,
                "video": video.video,
                "frames": len(video.frames),
                **_nan_as_none(video.means()),
            }
            for name, results in methods.items()
            for video in results.videos
        ],
    }


def write_results(
    output: Path, methods: Mapping[str, Results], more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Writes results.json, databases.csv, results.csv (one line a video), frames.csv (one line a frame) into a folder.

    `more` is added to results.json. Each file is there whole or not at all. Returns what results.json holds.
    """
    output.mkdir(parents=True, exist_ok=True)
    content = {**results_json(methods), **(more or {})}
    keys = ["method", "database", "split", "video"]
    metrics = _columns({(name, i): row.values for name, of in methods.items() for i, row in enumerate(of.videos)})
    frames = [
        [name, video.database, video.split, video.video, frame, *_blank_for_nan(values)]
        for name, results in methods.items()
        for video in results.videos
        for frame, *values in zip(
            video.frames.tolist(),
            *(video.values.get(m, np.full(video.frames.size, np.nan)).tolist() for m in metrics),
            strict=True,
        )
    ]
    write_csv(output / "frames.csv", [*keys, "frame", *metrics], frames)
    columns = [*keys, "frames", *metrics]
    videos = [["" if video.get(key) is None else video[key] for key in columns] for video in content["videos"]]
    write_csv(output / "results.csv", columns, videos)
    write_csv(
        output / "databases.csv",
        ["method", "database", *(f"{metric}{what}" for metric in metrics for what in ("", " low", " high"))],
        _database_rows(content, metrics),
    )
    write_text(output / "results.json", json.dumps(content, indent=2, allow_nan=False) + "\n")
    return content


def write_comparison(output: Path, comparison: Comparison, more: Mapping[str, Any] | None = None) -> None:
    """Writes comparison.csv (one line a database and metric), comparison_films.csv and comparison.json."""
    output.mkdir(parents=True, exist_ok=True)
    rows = [dataclasses.asdict(row) for row in comparison.differences]
    rows = [{key: None if _is_nan(value) else value for key, value in row.items()} for row in rows]
    metrics = _columns(comparison.films)
    films = [
        [*film, *_blank_for_nan([row.get(metric, math.nan) for metric in metrics])]
        for film, row in comparison.films.items()
    ]
    write_csv(output / "comparison_films.csv", ["database", "video", *metrics], films)
    write_csv(
        output / "comparison.csv",
        list(DIFFERENCE_COLUMNS),
        [["" if row[key] is None else row[key] for key in DIFFERENCE_COLUMNS] for row in rows],
    )
    content = {
        "differences": rows,
        "only_ours": comparison.only_ours,
        "only_other": comparison.only_other,
        "all_films": ALL_FILMS,
        "test": "two-sided sign test over films; interval: percentile bootstrap over films",
        **(more or {}),
    }
    write_text(output / "comparison.json", json.dumps(content, indent=2, allow_nan=False) + "\n")


def _columns(rows: Mapping[Any, Mapping[str, Any]]) -> list[str]:
    """The paper's five metrics and what other ones any row has."""
    return [metric for metric in ALL_METRICS if metric in METRICS or any(metric in row for row in rows.values())]


def _heading(metric: str, before: str) -> str:
    return f"{metric}{before}(lower is{before}better)" if metric in LOWER_IS_BETTER else metric


def _formatted(scores: Scores, metrics: Sequence[str]) -> list[str]:
    return [
        UNDEFINED if (value := scores.get(metric)) is None or math.isnan(value) else f"{value:.{_decimals(metric)}f}"
        for metric in metrics
    ]


def _decimals(metric: str) -> int:
    return DECIMALS.get(metric, 4)


def _ends_or_none(intervals: bootstrap.Intervals) -> dict[str, list[float] | None]:
    return {metric: None if math.isnan(low) else [low, high] for metric, (low, high) in intervals.items()}


def _by_database(methods: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    databases = dict.fromkeys(database for found in methods.values() for database in found)
    return {
        database: {name: found[database] for name, found in methods.items() if database in found}
        for database in databases
    }


def _database_rows(content: Mapping[str, Any], metrics: Sequence[str]) -> list[list]:
    """A line for each database and method, then the mean of the databases."""
    means = [(MEAN_OF_DATABASES, content["methods"]), *content["databases"].items()]
    ends = {MEAN_OF_DATABASES: content["intervals"]["methods"], **content["intervals"]["databases"]}
    rows = []
    for database, methods in (*means[1:], means[0]):
        for name, scores in methods.items():
            row: list = [name, database]
            for metric in metrics:
                low, high = ends[database][name].get(metric) or ("", "")
                value = scores.get(metric)
                row += ["" if value is None else value, low, high]
            rows.append(row)
    return rows


def _nan_as_none(scores: Mapping[str, float]) -> dict[str, float | None]:
    return {
        metric: None if math.isnan(scores[metric]) else scores[metric] for metric in ALL_METRICS if metric in scores
    }


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _blank_for_nan(values: list[float]) -> list[float | str]:
    return ["" if math.isnan(value) else value for value in values]
