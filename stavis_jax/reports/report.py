"""Writes scores as one HTML page that needs no network, and its tables in Markdown and LaTeX."""

import base64
import dataclasses
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from data_pipelines.runtime.atomic import write_text
from stavis_jax.reports import plots, render
from stavis_jax.reports.example_frames import Example, PictureSource, best_and_worst, draw_example
from stavis_jax.reports.paper_tables import paper_tables
from stavis_jax.reports.score_tables import (
    comparison_table,
    metric_column,
    metrics_of,
    notes_on_metrics,
    notes_on_stills,
    score_tables,
    scored_table,
    video_table,
    videos_by_key,
    without_lone_mean,
)
from stavis_jax.scoring.aggregation import Results
from stavis_jax.scoring.comparison import Comparison

CHOOSING_METRIC = "CC"
EXAMPLES = 4  # best frames, and as many worst frames, each of another film
MOST_PLOTS = 400
JPEG_QUALITY = 82


@dataclasses.dataclass(frozen=True)
class Report:
    """The content of a report.

    Attributes:
        methods: name -> results, in the order of the tables' rows.
        main: method whose best and worst frames are shown; by default the last one.
        pictures: film frames, gaze and maps of the main method. Without them no frames are shown.
        facts: more about the scoring, such as folders, settings, versions: name -> value.
        notes, warnings: lines below the facts.

    Raises:
        ValueError: there is no method, or `main` is none of them.
    """

    methods: Mapping[str, Results]
    title: str = "Saliency scores"
    main: str = ""
    pictures: PictureSource | None = None
    comparison: Comparison | None = None
    facts: Mapping[str, object] = dataclasses.field(default_factory=dict)
    notes: Sequence[str] = ()
    warnings: Sequence[str] = ()

    def __post_init__(self):
        if not self.main and self.methods:
            object.__setattr__(self, "main", list(self.methods)[-1])
        if self.main not in self.methods:
            raise ValueError(f"main: {self.main!r} is none of the methods {', '.join(self.methods) or '(none)'}.")


@dataclasses.dataclass(frozen=True)
class ExampleFigure:
    """An example frame as the page shows it.

    Attributes:
        scores, beside: the main method's scores and those of the other methods, as text.
        pictures: title -> (data: URI, width, height in pixels), None where there is no picture.
    """

    example: Example
    scores: str
    beside: str
    pictures: dict[str, tuple[str, int, int] | None]


def write_report(output: Path, report: Report) -> Path:
    """Writes report.html, tables.md and tables.tex into a folder. Equal results give equal bytes.

    Returns the path of report.html.
    """
    output.mkdir(parents=True, exist_ok=True)
    published, databases = paper_tables(report.methods), without_lone_mean(score_tables(report.methods))
    write_text(output / "tables.md", render.markdown([*published, *databases]))
    write_text(output / "tables.tex", render.latex([*published, *databases]))
    videos, methods = videos_by_key(report.methods), list(report.methods)
    moving = {key: of for key, of in videos.items() if any(video.frames[-1] > 1 for video in of.values())}
    scale = plots.common_scale(report.methods)
    page = render.html(
        "report.html.j2",
        report=report,
        scored=scored_table(report.methods[report.main].videos),
        published=published,
        databases=databases,
        notes_on_metrics=[
            *notes_on_metrics(metrics_of(report.methods)),
            *notes_on_stills(report.methods[report.main].videos),
        ],
        comparison=comparison_table(report.comparison) if report.comparison else None,
        choosing_metric=CHOOSING_METRIC,
        examples=_examples(report),
        legend=[(method, plots.line_class(methods, method)) for method in methods],
        scale=scale,
        plots=[(key, plots.plot_of_video(of, methods, scale)) for key, of in list(moving.items())[:MOST_PLOTS]],
        panel=(plots.WIDTH, plots.HEIGHT),
        num_videos=len(moving),
        videos=video_table(report.methods),
    )
    path = output / "report.html"
    write_text(path, page)
    return path


def _examples(report: Report) -> dict[str, list[ExampleFigure]]:
    """Returns "Best" and "Worst" -> figures; none for a frame without any picture."""
    if report.pictures is None:
        return {}
    found = {}
    chosen = best_and_worst(report.methods[report.main], CHOOSING_METRIC, EXAMPLES)
    for heading, examples in zip(("Best", "Worst"), chosen, strict=True):
        figures = [_figure(report, report.pictures, example) for example in examples]
        found[heading] = [figure for figure in figures if any(figure.pictures.values())]
    return {heading: figures for heading, figures in found.items() if figures}


def _figure(report: Report, source: PictureSource, example: Example) -> ExampleFigure:
    beside = []
    for method, of in report.methods.items():
        values = [
            float(video.values[CHOOSING_METRIC][video.frames == example.number][0])
            for video in of.videos
            if video.key == example.video.key and example.number in video.frames
        ]
        if method != report.main and np.isfinite(values).any():
            beside.append(f"{method} {metric_column(CHOOSING_METRIC).text(values[0])}")
    pictures = {
        title: None if picture is None else (_jpeg_uri(picture), picture.shape[1], picture.shape[0])
        for title, picture in draw_example(source, example).items()
    }
    return ExampleFigure(example, plots.spoken_scores(example.scores), ", ".join(beside), pictures)


def _jpeg_uri(picture: np.ndarray) -> str:
    """Returns a picture, uint8 [H, W, 3], as a data: URI."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
