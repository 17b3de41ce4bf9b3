"""Turns results into tables: scores of each database, of each video, comparisons, what was scored."""

import math
from collections.abc import Iterable, Mapping, Sequence

from stavis_jax.reports.tables import Cell, Column, Row, Table
from stavis_jax.scoring.aggregation import Results, VideoScores
from stavis_jax.scoring.bootstrap import Interval
from stavis_jax.scoring.comparison import ALL_FILMS, Comparison
from stavis_jax.scoring.frame_scores import LOWER_IS_BETTER, in_order
from stavis_jax.scoring.observer_scores import OBSERVER_BASELINES
from stavis_jax.scoring.score_warnings import WITHOUT_GAZE

DECIMALS = {"NSS": 2, "KL": 3, "IG": 3}  # NSS as the paper prints it; the others, within [-1, 1], have four
MEAN_OF_DATABASES = "mean of databases"

Scores = Mapping[str, float]  # metric -> value
VideoKey = tuple[str, int, str]  # database, split, video


def metric_column(metric: str, group: str = "") -> Column:
    better = "lower" if metric in LOWER_IS_BETTER else "higher"
    return Column(metric, f".{DECIMALS.get(metric, 4)}f", better, group)


def score_cells(
    scores: Scores, metrics: Sequence[str], intervals: Mapping[str, Interval] | None = None
) -> tuple[Cell, ...]:
    """Returns a cell for each metric, with its interval where there is one."""
    ends = {metric: pair for metric, pair in (intervals or {}).items() if not any(map(math.isnan, pair))}
    return tuple(Cell(scores.get(metric), ends.get(metric)) for metric in metrics)


def scores_table(
    title: str,
    rows: Mapping[str, Scores],
    intervals: Mapping[str, Mapping[str, Interval]] | None = None,
    *,
    notes: Sequence[str] = (),
) -> Table:
    """Returns a table with a row for each method and a column for each metric that any row has."""
    metrics = in_order({metric for scores in rows.values() for metric in scores})
    made = [
        Row(name, score_cells(scores, metrics, (intervals or {}).get(name)), is_reference=name in OBSERVER_BASELINES)
        for name, scores in rows.items()
    ]
    return Table(title, tuple(map(metric_column, metrics)), tuple(made), tuple(notes))


def score_tables(methods: Mapping[str, Results]) -> list[Table]:
    """Returns a table of the methods for each database, and one for the mean of databases, with 95% intervals."""
    tables = []
    for database in dict.fromkeys(database for of in methods.values() for database in of.databases):
        scored = {name: of for name, of in methods.items() if database in of.databases}
        rows = {name: of.databases[database] for name, of in scored.items()}
        ends = {name: of.intervals.databases.get(database, {}) for name, of in scored.items()}
        tables.append(scores_table(database, rows, ends))
    overall = {name: of.overall for name, of in methods.items()}
    ends = {name: of.intervals.overall for name, of in methods.items()}
    return [*tables, scores_table(MEAN_OF_DATABASES, overall, ends)]


def without_lone_mean(tables: Sequence[Table]) -> list[Table]:
    """Returns the tables of `score_tables` without the mean if there is only one database."""
    return list(tables if len(tables) > 2 else tables[:-1])


def method_table(title: str, results: Results) -> Table:
    """Returns a table of one method with a row for each database, and for the mean of several."""
    rows, ends = dict(results.databases), dict(results.intervals.databases)
    if len(rows) > 1:
        rows[MEAN_OF_DATABASES], ends[MEAN_OF_DATABASES] = results.overall, results.intervals.overall
    table = scores_table(title, rows, ends)
    notes = notes_on_stills(results.videos)
    return Table(title, table.columns, table.rows, tuple(notes), heading="database", marks_best=False)


def metrics_of(methods: Mapping[str, Results]) -> list[str]:
    """Returns the metrics that any video was scored with, in the order of the tables."""
    return in_order({metric for of in methods.values() for video in of.videos for metric in video.values})


def notes_on_metrics(metrics: Sequence[str]) -> list[str]:
    """Returns notes that explain the columns."""
    lower = [metric for metric in metrics if metric in LOWER_IS_BETTER]
    notes = [f"Bold: best of its column{' (of ' + ', '.join(lower) + ' the lowest)' if lower else ''}."]
    if {"sAUC", "sAUC-others"} <= set(metrics):
        notes.append(
            "sAUC: against fixations of the same video's other frames, as in the paper's code. sAUC-others: against "
            "fixations of the database's other videos, the textbook's definition."
        )
    if "IG" in metrics:
        notes.append("IG: bits per fixation gained over the centre bias of the training films.")
    return notes


def notes_on_stills(videos: Iterable[VideoScores]) -> list[str]:
    """Returns a note if some videos are stills, which have no sAUC."""
    if not any("sAUC" not in video.values and video.frames.size and video.frames[-1] == 1 for video in videos):
        return []
    return [
        "sAUC-others: against fixations of the database's other pictures, the textbook's definition. The sAUC of the "
        "paper's code is against the same film's other frames, so that pictures have none."
    ]


def videos_by_key(methods: Mapping[str, Results]) -> dict[VideoKey, dict[str, VideoScores]]:
    """Returns video -> method -> its scores."""
    found: dict[VideoKey, dict[str, VideoScores]] = {}
    for name, of in methods.items():
        for video in of.videos:
            found.setdefault(video.key, {})[name] = video
    return found


def video_table(methods: Mapping[str, Results]) -> Table:
    """Returns a table with a row for each video and method: means over frames."""
    metrics = metrics_of(methods)
    texts = [Column(name, is_text=name != "frames") for name in ("database", "split", "method", "frames")]
    rows = []
    for (database, split, video), of_methods in videos_by_key(methods).items():
        for method, scores in of_methods.items():
            first = [Cell(text) for text in (database, str(split), method, len(scores.frames))]
            rows.append(Row(video, (*first, *score_cells(scores.means(), metrics))))
    columns = (*texts, *map(metric_column, metrics))
    return Table("Means of each video", columns, tuple(rows), heading="video", marks_best=False)


def scored_table(videos: Iterable[VideoScores]) -> Table:
    """Returns a table of what was scored: a row for each database."""
    videos, rows = list(videos), []
    for database in dict.fromkeys(video.database for video in videos):
        chosen = [video for video in videos if video.database == database]
        values = (
            ", ".join(map(str, sorted({video.split for video in chosen}))),
            len({video.video for video in chosen}),
            len(chosen),
            sum(len(video.frames) for video in chosen),
            sum(video.frames_without_map for video in chosen),
            sum(video.frames_without_annotation + video.doubts.get(WITHOUT_GAZE, 0) for video in chosen),
        )
        rows.append(Row(database, tuple(Cell(value) for value in values)))
    names = ("films", "videos", "frames scored", "without map", "without gaze")
    columns = (Column("splits", is_text=True), *(Column(name, ",") for name in names))
    return Table("What was scored", columns, tuple(rows), heading="database")


def comparison_table(comparison: Comparison) -> Table:
    """Returns a table with a row for each database and metric."""
    columns = (
        Column("films"),
        *(Column(name, "+.4f") for name in ("mean difference", "95% from", "to")),
        *map(Column, ("better", "worse", "equal")),
        Column("p", ".2g"),
    )
    one_database = len({row.database for row in comparison.differences}) == 2  # all films are then the same films
    rows = [
        Row(
            f"{row.metric} (lower is better)" if row.metric in LOWER_IS_BETTER else row.metric,
            tuple(map(Cell, (row.films, row.mean, row.low, row.high, row.better, row.worse, row.equal, row.p_value))),
            group=row.database,
        )
        for row in comparison.differences
        if not (one_database and row.database == ALL_FILMS)
    ]
    return Table(comparison.title, columns, tuple(rows), heading="metric")
