"""Tables of a report as HTML."""

import itertools
import math
from collections.abc import Mapping, Sequence

from stavis_jax.reports.html_elements import Element, element, latex_elements
from stavis_jax.reports.paper_tables import Cell, PaperTable, Row, printed
from stavis_jax.reports.report_plots import VideoKey
from stavis_jax.reports.table_text import arrow
from stavis_jax.scoring.comparison import ALL_FILMS, Comparison
from stavis_jax.scoring.frame_scores import LOWER_IS_BETTER


def paper_table(table: PaperTable) -> Element:
    """A table with its notes; wide ones scroll."""
    groups = [(name, len(list(of))) for name, of in itertools.groupby(group for group, _ in table.columns)]
    starts = set(itertools.accumulate((count for _, count in groups), initial=0)) if len(groups) > 1 else set()
    head = element("thead")
    if len(groups) > 1:
        over = [
            element("th", element("span", name), colspan=n, scope="colgroup", class_="starts") for name, n in groups
        ]
        head.append(element("tr", element("td"), *over, class_="groups"))
    metrics = [
        metric_heading(metric, class_="starts" if index in starts else None)
        for index, (_, metric) in enumerate(table.columns)
    ]
    head.append(element("tr", element("th", "method", scope="col", class_="text"), *metrics))
    best = table.best()
    bodies = []
    for group, rows in itertools.groupby(table.rows, key=lambda row: row.group):
        body = element("tbody", class_="own" if group == "ours" else None)
        if group:
            span = len(table.columns) + 1
            body.append(element("tr", element("th", group, colspan=span, scope="rowgroup"), class_="group"))
        body.extend(_row(row, table, best, starts) for row in rows)
        bodies.append(body)
    notes = (element("p", note, class_="note") for note in table.notes)
    title = element("h3", table.title)
    return element("div", title, scrolling(element("table", head, *bodies), table.title), *notes, class_="named")


def video_table(videos: Mapping[VideoKey, Mapping], metrics: Sequence[str]) -> Element:
    """A line a video and method, to be sorted by any column."""
    texts = ["database", "video", "split", "method", "frames"]
    heads = [element("th", name, scope="col", class_="text" if name != "frames" else None) for name in texts]
    head = element("thead", element("tr", *heads, *(metric_heading(metric) for metric in metrics)))
    body = element("tbody")
    for (database, split, video), of_methods in videos.items():
        for method, scores in of_methods.items():
            means = scores.means()
            cells = [element("td", text, class_="text") for text in (database, video, str(split), method)]
            cells[1] = element("th", video, scope="row")
            body.append(
                element(
                    "tr",
                    *cells,
                    element("td", str(len(scores.frames))),
                    *(_value(means.get(metric, math.nan), metric) for metric in metrics),
                )
            )
    return scrolling(element("table", head, body, class_="sortable"), "Means of each video", tall=True)


def comparison_table(comparison: Comparison, title: str) -> Element:
    """A line a database and metric."""
    heads = ["database", "metric", "films", "mean difference", "95% interval", "better", "worse", "equal", "p"]
    head = [element("th", name, scope="col", class_="text" if i < 2 else None) for i, name in enumerate(heads)]
    bodies: dict[str, Element] = {}
    one_database = len({row.database for row in comparison.differences}) == 2  # all films are then the same ones
    for row in comparison.differences:
        if one_database and row.database == ALL_FILMS:
            continue
        body = bodies.setdefault(row.database, element("tbody"))
        interval = "" if math.isnan(row.low) else f"{row.low:+.4f} to {row.high:+.4f}"
        numbers = [str(row.films), f"{row.mean:+.4f}", interval, str(row.better), str(row.worse), str(row.equal)]
        cells = [element("td", text) for text in (*numbers, f"{row.p_value:.2g}")]
        metric = f"{row.metric} {arrow(row.metric)}"
        body.append(
            element("tr", element("th", row.database, scope="row"), element("td", metric, class_="text"), *cells)
        )
    return scrolling(element("table", element("thead", element("tr", *head)), *bodies.values()), title)


def facts(values: Mapping[str, object]) -> Element:
    """A list of names and what they are."""
    made = element("dl", class_="facts")
    for name, value in values.items():
        made.extend([element("dt", name), element("dd", str(value))])
    return made


def scrolling(table: Element, name: str, *, tall: bool = False) -> Element:
    """Reachable by keyboard, so that it can be scrolled with it."""
    return element("div", table, class_="scroll tall" if tall else "scroll", tabindex=0, role="region", aria_label=name)


def metric_heading(metric: str, class_: str | None = None) -> Element:
    lower = metric in LOWER_IS_BETTER
    better = "lower is better" if lower else "higher is better"
    # Sorting begins with the best.
    first = "ascending" if lower else "descending"
    name = element("span", f"{metric} ", element("span", arrow(metric), aria_hidden="true"), title=better)
    return element("th", name, scope="col", class_=class_, data_first=first)


def _row(row: Row, table: PaperTable, best: Sequence[str | None], starts: set[int]) -> Element:
    name = [row.name] if row.ours else latex_elements(row.name)
    cells = []
    for index, (cell, (_, metric), of_column) in enumerate(zip(row.cells, table.columns, best, strict=True)):
        made = _cell(cell, metric, is_best=not row.reference and printed(cell.value, metric) == of_column)
        if index in starts:
            made.set("class", "starts")
        cells.append(made)
    reference = "reference" if row.reference else None
    return element("tr", element("th", *name, scope="row"), *cells, class_=reference)


def _cell(cell: Cell, metric: str, *, is_best: bool) -> Element:
    text = printed(cell.value, metric)
    made = element("td", element("strong", text) if is_best else text)
    if cell.interval:
        low, high = (printed(end, metric) for end in cell.interval)
        made.append(element("span", f"{low} to {high}", class_="interval"))
    return made


def _value(value: float, metric: str) -> Element:
    """With the number behind it, for sorting."""
    return element("td", printed(value, metric), data_value="" if math.isnan(value) else repr(float(value)))
