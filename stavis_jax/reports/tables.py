"""Scores as tables: on the terminal, as markdown, as JSON and CSV."""

import csv
import io
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from stavis_jax.metrics.protocol import METRICS, Results

Scores = Mapping[str, float | None]  # metric -> value; None or NaN where undefined
DECIMALS = {"NSS": 2}  # as the paper prints them; the others, all within [-1, 1], get four


def print_table(
    methods: Mapping[str, Scores], title: str, *, heading: str = "method", console: Console | None = None
) -> None:
    """Prints one row a method (or a database: `heading`), one column a metric; higher is better in all five."""
    table = Table(title=title, title_justify="left")
    table.add_column(heading, overflow="fold")
    for metric in METRICS:
        table.add_column(metric, justify="right", no_wrap=True)
    for name, scores in methods.items():
        table.add_row(name, *_formatted(scores))
    (console or Console()).print(table)


def markdown_table(methods: Mapping[str, Scores], *, heading: str = "method") -> str:
    """The same table as markdown text."""
    lines = [f"| {heading} | {' | '.join(METRICS)} |", "|---|" + "---:|" * len(METRICS)]
    lines += [f"| {name} | {' | '.join(_formatted(scores))} |" for name, scores in methods.items()]
    return "\n".join(lines) + "\n"


def results_json(methods: Mapping[str, Results]) -> dict[str, Any]:
    """What results.json holds, method by method: the overall mean, each database's, each video's. None for a NaN."""
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
    """Writes results.json, results.csv (one line a video) and frames.csv (one line a frame) into a folder.

    `more` is added to results.json. Each file is there whole or not at all. Returns what results.json holds.
    """
    output.mkdir(parents=True, exist_ok=True)
    content = {**results_json(methods), **(more or {})}
    keys = ["method", "database", "split", "video"]
    frames = [
        [name, video.database, video.split, video.video, frame, *_blank_for_nan(values)]
        for name, results in methods.items()
        for video in results.videos
        for frame, *values in zip(video.frames.tolist(), *(video.values[m].tolist() for m in METRICS), strict=True)
    ]
    _write_csv(output / "frames.csv", [*keys, "frame", *METRICS], frames)
    columns = [*keys, "frames", *METRICS]
    videos = [["" if video[key] is None else video[key] for key in columns] for video in content["videos"]]
    _write_csv(output / "results.csv", columns, videos)
    _write(output / "results.json", json.dumps(content, indent=2, allow_nan=False) + "\n")
    return content


def _formatted(scores: Scores) -> list[str]:
    values = {metric: scores.get(metric) for metric in METRICS}
    return [
        "n/a" if value is None or math.isnan(value) else f"{value:.{DECIMALS.get(metric, 4)}f}"
        for metric, value in values.items()
    ]


def _nan_as_none(scores: Mapping[str, float]) -> dict[str, float | None]:
    return {metric: None if math.isnan(scores[metric]) else scores[metric] for metric in METRICS}


def _blank_for_nan(values: list[float]) -> list[float | str]:
    return ["" if math.isnan(value) else value for value in values]


def _write_csv(path: Path, header: list[str], rows: list[list]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    _write(path, text.getvalue())


def _write(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
