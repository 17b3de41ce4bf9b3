"""Scores as one HTML page that needs no network, the published results beside; the tables in Markdown and LaTeX."""

import importlib.resources
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from data_pipelines.runtime.atomic import write_text
from stavis_jax.reports import html_tables, report_plots, table_text
from stavis_jax.reports.html_elements import Element, append, element, jpeg_uri, page
from stavis_jax.reports.paper_tables import (
    PaperTable,
    database_tables,
    metrics_of,
    notes_on_metrics,
    printed,
    published_tables,
)
from stavis_jax.reports.report_pictures import Example, PictureSource, best_and_worst, draw_example
from stavis_jax.scoring.aggregation import Results
from stavis_jax.scoring.comparison import Comparison
from stavis_jax.scoring.frame_scores import METRICS

CHOOSING_METRIC = "CC"
EXAMPLES = 4  # films of which the best frame is shown, and as many of which the worst
MOST_PLOTS = 400
# A browser then fetches nothing, whatever is in the page.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def write_report(
    output: Path,
    methods: Mapping[str, Results],
    *,
    title: str = "Saliency scores",
    main: str | None = None,
    pictures: PictureSource | None = None,
    comparison: Comparison | None = None,
    comparison_title: str = "Ours minus the other's, film by film",
    facts: Mapping[str, object] | None = None,
    notes: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> Path:
    """Writes OUTPUT/report.html, tables.md and tables.tex; the same bytes for the same results.

    Args:
        methods: name -> results, in the order of the tables' rows.
        main: whose best and worst frames are shown; by default the last method. `pictures` are of this one.
        pictures: without it no frames are shown.
        comparison: of two result sets, film by film; `comparison_title` says of which.
        facts: what else to say of the scoring, such as folders, settings, versions: name -> value.
        notes, warnings: lines below the facts.

    Returns:
        The path of report.html.

    Raises:
        ValueError: there is no method, or `main` is none of them.
    """
    main = list(methods)[-1] if main is None and methods else main
    if main not in methods:
        raise ValueError(f"main: {main!r} is none of the methods {', '.join(methods) or '(none)'}.")
    paper = published_tables(methods)
    of_databases = database_tables(methods)
    sections = {
        "What was scored": _scored(methods, main, facts or {}, notes, warnings),
        "Beside the paper": _tables(
            paper,
            ["Rows under “ours” are these results, all others the paper's. Bold: best of its column; –: no value."],
        ),
        "Databases": _tables(
            of_databases,
            [
                "Mean over videos; below it the 95% bootstrap interval over films, where there are several films.",
                *notes_on_metrics(metrics_of(methods)),
            ],
        ),
        "Comparison": _comparison(comparison, comparison_title),
        "Best and worst frames": _examples(methods, main, pictures),
        "Videos over time": _plots(methods),
        "Videos": [
            element("p", "Means over the frames of each video. Press a heading to sort.", class_="note"),
            html_tables.video_table(report_plots.videos_by_key(methods), metrics_of(methods)),
        ],
    }
    output.mkdir(parents=True, exist_ok=True)
    tables = [*paper, *of_databases]
    write_text(output / "tables.md", "\n".join(map(table_text.markdown, tables)))
    write_text(output / "tables.tex", "\n".join(map(table_text.latex, tables)))
    path = output / "report.html"
    write_text(path, page(_page(title, {name: content for name, content in sections.items() if content})))
    return path


def _page(title: str, sections: Mapping[str, Sequence[Element]]) -> Element:
    links = [element("li", element("a", name, href=f"#{_anchor(name)}")) for name in sections]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("link", rel="icon", href="data:,"),  # else browsers ask for one
        element("title", title),
        element("style", _shipped("report.css")),
    )
    content = [
        element("section", element("h2", name), *content, id=_anchor(name)) for name, content in sections.items()
    ]
    contents = element("nav", element("ul", *links), aria_label="Contents")
    header = element("header", element("h1", title), contents)
    body = element("body", header, element("main", *content), element("script", _shipped("report.js")))
    return element("html", head, body, lang="en")


def _scored(
    methods: Mapping[str, Results],
    main: str,
    facts: Mapping[str, object],
    notes: Sequence[str],
    warnings: Sequence[str],
) -> list[Element]:
    names = ["database", "splits", "films", "videos", "frames scored", "without map", "without gaze"]
    head = [element("th", name, scope="col", class_="text" if i < 2 else None) for i, name in enumerate(names)]
    videos = methods[main].videos
    body = element("tbody")
    for database in dict.fromkeys(video.database for video in videos):
        chosen = [video for video in videos if video.database == database]
        numbers = [
            len({video.video for video in chosen}),
            len(chosen),
            sum(len(video.frames) for video in chosen),
            sum(video.frames_without_map for video in chosen),
            sum(video.frames_without_annotation for video in chosen),
        ]
        splits = ", ".join(map(str, sorted({video.split for video in chosen})))
        cells = [element("td", splits, class_="text"), *(element("td", f"{number:,}") for number in numbers)]
        body.append(element("tr", element("th", database, scope="row"), *cells))
    table = element("table", element("thead", element("tr", *head)), body)
    return [
        element("p", "A film that is tested in several splits is several videos.", class_="note"),
        html_tables.scrolling(table, "What was scored"),
        html_tables.facts({"methods": ", ".join(methods), **facts}),
        *(element("p", note, class_="note") for note in notes),
        *(element("p", warning, class_="note warning") for warning in warnings),
    ]


def _tables(tables: Sequence[PaperTable], notes: Sequence[str]) -> list[Element]:
    if not tables:
        return []
    return [*(element("p", note, class_="note") for note in notes), *map(html_tables.paper_table, tables)]


def _comparison(comparison: Comparison | None, title: str) -> list[Element]:
    if comparison is None:
        return []
    said = f"{title}, with the 95% bootstrap interval of the mean difference and a two-sided sign test over films."
    left_out = comparison.only_ours + comparison.only_other
    said += f" {left_out} films are in one of the two only and are left out." if left_out else ""
    return [element("p", said, class_="note"), html_tables.comparison_table(comparison, title)]


def _examples(methods: Mapping[str, Results], main: str, pictures: PictureSource | None) -> list[Element]:
    if pictures is None:
        return []
    best, worst = best_and_worst(methods[main], CHOOSING_METRIC, EXAMPLES)
    videos = report_plots.videos_by_key(methods)
    content = []
    for heading, chosen in (("Best", best), ("Worst", worst)):
        figures = [_example(pictures, example, main, videos) for example in chosen]
        if shown := [figure for figure in figures if figure is not None]:
            content += [element("h3", heading), *shown]
    said = f"By {CHOOSING_METRIC} of {main}, at most one frame of a film. Each map from its minimum to its maximum."
    return [element("p", said, class_="note"), *content] if content else []


def _example(pictures: PictureSource, example: Example, main: str, videos: Mapping) -> Element | None:
    drawn = draw_example(pictures, example)
    if not any(picture is not None for picture in drawn.values()):
        return None
    place = f"{example.database}/{example.video}, frame {example.number}"
    row = element("div", class_="pictures")
    for name, picture in drawn.items():
        shown = element("span", "not there", class_="missing")
        if picture is not None:
            height, width = picture.shape[:2]
            shown = element(
                "img", src=jpeg_uri(picture), alt=f"{name}: {place}", width=width, height=height, decoding="async"
            )
        row.append(element("div", shown, element("span", name)))
    scores = ", ".join(f"{metric} {printed(example.scores.get(metric), metric)}" for metric in METRICS)
    others = []
    for method, of in videos[example.database, example.split, example.video].items():
        value = of.values[CHOOSING_METRIC][of.frames == example.number]
        if method != main and np.isfinite(value).any():
            others.append(f"{method} {printed(float(value[0]), CHOOSING_METRIC)}")
    caption = element("figcaption", element("strong", place), f" (split {example.split}): {scores}")
    beside = f"; {CHOOSING_METRIC} of {', '.join(others)}" if others else None
    append(caption, element("span", beside, class_="note") if beside else None)
    return element("figure", caption, row, class_="example")


def _plots(methods: Mapping[str, Results]) -> list[Element]:
    videos, order, scale = report_plots.videos_by_key(methods), list(methods), report_plots.common_scale(methods)
    said = (
        "One row a video, all on the same axes, which hold 99% of the frames; a dotted line is chance. A line breaks "
        f"where frames have no value. Videos of more than {scale.most_points} frames are drawn as means of several."
    )
    figures = []
    for (database, split, video), scores in list(videos.items())[:MOST_PLOTS]:
        name = f"{database}/{video}"
        caption = element("figcaption", element("strong", name), f" (split {split})")
        plot = report_plots.over_time(scores, order, scale, name)
        figures.append(element("figure", caption, plot, class_="video"))
    if len(videos) > MOST_PLOTS:
        said += f" The first {MOST_PLOTS} of {len(videos)} videos."
    return [element("p", said, class_="note"), report_plots.legend(order), *figures]


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")


def _shipped(name: str) -> str:
    return importlib.resources.files("stavis_jax.reports").joinpath(name).read_text("utf-8")
