"""Tables 4 and 5 of the paper with rows of our own below the published ones."""

from collections.abc import Mapping

from stavis_jax.reports import published
from stavis_jax.reports.score_tables import metric_column
from stavis_jax.reports.tables import OURS, Cell, Row, Table
from stavis_jax.scoring.aggregation import Results
from stavis_jax.scoring.frame_scores import METRICS
from stavis_jax.scoring.observer_scores import OBSERVER_BASELINES

COMPLETE = 0.8  # of the paper's test videos: the authors' lists of DIEM hold 17 to 20 of its 20 films


def paper_tables(methods: Mapping[str, Results]) -> list[Table]:
    """Returns those of the two tables that have a scored database, with our rows below the published ones."""
    tables = []
    folders = {published.paper_name(folder): folder for of in methods.values() for folder in of.databases}
    for number, names in published.TABLES.items():
        scored = [name for name in names if name in folders]
        if not scored:
            continue
        rows = [
            Row(
                row.name,
                _cells(names, row.scores),
                "the paper's systems" if row.by_authors else "what the paper compares with",
            )
            for row in published.rows()
        ]
        for method, of in methods.items():
            ours = {name: of.databases.get(folders[name], {}) for name in scored}
            rows.append(Row(method, _cells(names, ours), OURS, is_reference=method in OBSERVER_BASELINES))
        notes = [f"Published rows: {published.SOURCE}.", *(_coverage(methods, name, folders[name]) for name in scored)]
        columns = tuple(metric_column(metric, name) for name in names for metric in METRICS)
        tables.append(Table(f"{number} of the paper: {', '.join(names)}", columns, tuple(rows), tuple(notes)))
    return tables


def _cells(databases: tuple[str, ...], scores: Mapping[str, Mapping[str, float]]) -> tuple[Cell, ...]:
    return tuple(Cell(scores.get(database, {}).get(metric)) for database in databases for metric in METRICS)


def _coverage(methods: Mapping[str, Results], name: str, folder: str) -> str:
    """Returns a note on how many of the paper's test videos our means are over."""
    of_database = [video for of in methods.values() for video in of.videos if video.database == folder]
    tests = {(video.split, video.video) for video in of_database}
    splits = sorted({split for split, _ in tests})
    listed = published.num_test_videos(folder)
    which = f"split{'s' if len(splits) > 1 else ''} {', '.join(map(str, splits))}"
    note = f"Ours on {name}: {len(tests)} test videos, {which}; the paper lists {listed} over its three splits."
    return note if len(tests) >= COMPLETE * listed else f"{note} A difference may come from the films."
