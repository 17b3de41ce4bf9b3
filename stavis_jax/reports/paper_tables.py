"""Scores laid out as in the paper: a row a method, a group of columns a database, the best value of a column bold."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from stavis_jax.reports import published
from stavis_jax.reports.tables import DECIMALS, MEAN_OF_DATABASES
from stavis_jax.scoring import bootstrap
from stavis_jax.scoring.aggregation import Results
from stavis_jax.scoring.frame_scores import ALL_METRICS, LOWER_IS_BETTER, METRICS
from stavis_jax.scoring.observers import OBSERVER_BASELINES

NO_VALUE = "–"
FACTS = {"parameters, M": 2, "GFLOPs": 2, "clips/s": 1}  # columns that are no scores -> their decimals; none is best
COMPLETE = 0.8  # of the paper's test videos: the authors' lists of DIEM hold 17 to 20 of its 20 films


@dataclasses.dataclass(frozen=True)
class Cell:
    """A value, NaN where there is none; its 95% interval, or None; what text tables print after it."""

    value: float
    interval: tuple[float, float] | None = None
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Row:
    """One method.

    Attributes:
        name: LaTeX if the row is not `ours`.
        reference: people, not a model; never the best.
        group: rows of another group stand apart.
    """

    name: str
    cells: tuple[Cell, ...]
    ours: bool = True
    reference: bool = False
    group: str = ""


@dataclasses.dataclass(frozen=True)
class PaperTable:
    """A table, however it is printed.

    Attributes:
        columns: (group heading, metric) of each column; columns of a group stand together.
        notes: lines under the table.
    """

    title: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def best(self) -> tuple[str | None, ...]:
        """Of each column the best value as it is printed: ties in print are ties. None where there is no choice."""
        found = []
        for index, (_, metric) in enumerate(self.columns):
            values = [row.cells[index].value for row in self.rows if not row.reference]
            values = [value for value in values if not math.isnan(value)]
            pick = min if metric in LOWER_IS_BETTER else max
            has_best = len(values) > 1 and metric not in FACTS
            found.append(printed(pick(values), metric) if has_best else None)
        return tuple(found)


def printed(value: float | None, metric: str) -> str:
    """As the paper prints it: NSS with two decimals, the other four metrics with four; a dash for NaN or None."""
    if value is None or math.isnan(value):
        return NO_VALUE
    return f"{value:.{FACTS.get(metric, DECIMALS.get(metric, 4))}f}"


def published_tables(methods: Mapping[str, Results]) -> list[PaperTable]:
    """Tables 4 and 5, each if any of its databases was scored: the published rows, below them ours."""
    tables = []
    folders = {published.paper_name(folder): folder for folder in _databases(methods)}
    for number, names in published.TABLES.items():
        scored = [name for name in names if name in folders]
        if not scored:
            continue
        columns = tuple((name, metric) for name in names for metric in METRICS)
        rows = [
            Row(
                row.name,
                tuple(Cell(row.scores.get(name, {}).get(metric, math.nan)) for name, metric in columns),
                ours=False,
                group="the paper's systems" if row.by_authors else "what the paper compares with",
            )
            for row in published.rows()
        ]
        rows += [
            Row(
                name,
                tuple(
                    Cell(of.databases.get(folders.get(column), {}).get(metric, math.nan)) for column, metric in columns
                ),
                reference=name in OBSERVER_BASELINES,
                group="ours",
            )
            for name, of in methods.items()
        ]
        notes = [f"Published rows: {published.SOURCE}."]
        notes += [_coverage(methods, name, folders[name]) for name in scored]
        tables.append(PaperTable(f"{number} of the paper: {', '.join(names)}", columns, tuple(rows), tuple(notes)))
    return tables


def database_tables(methods: Mapping[str, Results]) -> list[PaperTable]:
    """A table for each database, and for the mean of several, with every metric and 95% intervals over films."""
    films = {name: bootstrap.film_scores(of.videos) for name, of in methods.items()}
    of_databases = {name: bootstrap.database_intervals(films[name]) for name in methods}
    databases = _databases(methods)
    tables = []
    for database in databases:
        scores = {name: of.databases[database] for name, of in methods.items() if database in of.databases}
        intervals = {name: of_databases[name].get(database, {}) for name in scores}
        tables.append(_with_intervals(database, scores, intervals))
    if len(databases) > 1:
        scores = {name: of.overall for name, of in methods.items()}
        intervals = {name: bootstrap.overall_intervals(films[name]) for name in methods}
        tables.append(_with_intervals(MEAN_OF_DATABASES, scores, intervals))
    return tables


def metrics_of(methods: Mapping[str, Results]) -> list[str]:
    """The metrics that any video was scored with, in the order of the tables."""
    return [m for m in ALL_METRICS if any(m in video.values for of in methods.values() for video in of.videos)]


def _with_intervals(
    title: str, scores: Mapping[str, Mapping[str, float]], intervals: Mapping[str, bootstrap.Intervals]
) -> PaperTable:
    metrics = [metric for metric in ALL_METRICS if any(metric in of for of in scores.values())]

    def cell(name: str, metric: str) -> Cell:
        ends = intervals[name].get(metric)
        ends = None if ends is None or any(map(math.isnan, ends)) else ends
        return Cell(scores[name].get(metric, math.nan), ends)

    rows = [
        Row(name, tuple(cell(name, metric) for metric in metrics), reference=name in OBSERVER_BASELINES)
        for name in scores
    ]
    return PaperTable(title, tuple((title, metric) for metric in metrics), tuple(rows))


def _databases(methods: Mapping[str, Results]) -> list[str]:
    return list(dict.fromkeys(database for of in methods.values() for database in of.databases))


def _coverage(methods: Mapping[str, Results], name: str, folder: str) -> str:
    """What our means are over, so that nobody takes a part for the whole."""
    of_database = [video for of in methods.values() for video in of.videos if video.database == folder]
    tests = {(video.split, video.video) for video in of_database}
    splits = sorted({split for split, _ in tests})
    listed = published.num_test_videos(folder)
    which = f"split{'s' if len(splits) > 1 else ''} {', '.join(map(str, splits))}"
    said = f"Ours on {name}: {len(tests)} test videos, {which}; the paper lists {listed} over its three splits."
    return said if len(tests) >= COMPLETE * listed else f"{said} A difference may come from the films."


def notes_on_metrics(metrics: Sequence[str]) -> list[str]:
    """What a reader has to know of the columns."""
    lower = [metric for metric in metrics if metric in LOWER_IS_BETTER]
    notes = [f"Bold: best of its column{' (of ' + ', '.join(lower) + ' the lowest)' if lower else ''}."]
    if "sAUC-others" in metrics:
        notes.append(
            "sAUC: against fixations of the same video's other frames, as the paper's code has it. sAUC-others: "
            "against fixations of the database's other videos, the textbook's definition."
        )
    if "IG" in metrics:
        notes.append("IG: bits per fixation gained over the centre bias of the training films.")
    return notes
