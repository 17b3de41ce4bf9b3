import csv
import importlib.resources

import numpy as np
import pytest

from data_pipelines.raw.databases import DATABASES
from stavis_jax.reports import published
from stavis_jax.reports.paper_tables import paper_tables
from stavis_jax.reports.score_tables import metric_column, score_tables
from stavis_jax.reports.tables import Cell, Row, Table
from stavis_jax.scoring.aggregation import VideoScores, aggregate
from stavis_jax.scoring.frame_scores import METRICS


def results(*databases, value=0.99):
    frames = np.array([9, 10])
    values = {metric: np.full(2, value) for metric in METRICS}
    return aggregate([VideoScores(database, 1, "film", frames, values) for database in databases])


@pytest.fixture(scope="module")
def tables():
    return paper_tables({"mine": results(*DATABASES)})


def test_every_published_figure_stands_in_its_row_and_column(tables):
    file = importlib.resources.files("stavis_jax.reports").joinpath("published_results.csv")
    lines = list(csv.DictReader(file.read_text().splitlines()))
    names = {row.method: row.name for row in published.rows()}
    cells = {
        (row.name, column.group, column.name): cell.value
        for table in tables
        for row in table.rows
        for column, cell in zip(table.columns, row.cells, strict=True)
        if row.group != "ours"
    }
    assert len(lines) == len(cells) == 20 * 6 * 5
    for line in lines:
        assert cells[names[line["method"]], line["database"], line["metric"]] == float(line["value"])


def test_layout_is_the_papers(tables):
    assert [[name for name, _ in table.column_groups()] for table in tables] == [
        ["DIEM", "Coutrot1", "Coutrot2"],
        ["AVAD", "SumMe", "ETMD"],
    ]
    for table in tables:
        assert [column.name for column in table.columns] == list(METRICS) * 3
        assert [row.name for row in table.rows][::10] == ["Visual", "$L_{3}^{mul}$-$S_{2}^{av}$", "mine"]


def test_ours_is_a_dash_where_a_database_was_not_scored():
    (table,) = paper_tables({"mine": results("Coutrot_db1", "holiday")})
    assert table.title.startswith("Table 4")
    (_, [(_, cells)]) = table.bodies()[-1]
    ours = ["0.9900", "0.99", "0.9900", "0.9900", "0.9900"]
    assert [cell.text for cell in cells] == ["–"] * 5 + ours + ["–"] * 5
    assert paper_tables({"mine": results("holiday")}) == []


def test_best_of_a_column_is_as_the_supplement_prints_it():
    (table,) = paper_tables({"mine": results("AVAD", value=0.0)})
    assert table.best()[:5] == ["0.6198", "3.26", "0.9216", "0.5984", "0.4700"]


def test_lowest_is_best_where_lower_is_better_and_people_are_never_best():
    def row(name, cc, kl, reference=False):
        return Row(name, (Cell(cc), Cell(kl)), is_reference=reference)

    rows = (row("a", 0.1, 2.0), row("b", float("nan"), 1.0), row("people", 0.9, 0.1, reference=True))
    assert Table("t", (metric_column("CC"), metric_column("KL")), rows).best() == [None, "1.000"]


def test_a_part_of_the_films_is_said_to_be_one():
    (table,) = paper_tables({"mine": results("ETMD_av")})
    assert table.notes[-1] == (
        "Ours on ETMD: 1 test videos, split 1; the paper lists 12 over its three splits. "
        "A difference may come from the films."
    )


def test_own_tables_have_a_row_a_method_and_the_mean_of_several_databases():
    tables = score_tables({"bias": results("a", "b", value=0.25), "mine": results("a", value=0.75)})
    assert [table.title for table in tables] == ["a", "b", "mean of databases"]
    assert [[row.name for row in table.rows] for table in tables] == [["bias", "mine"], ["bias"], ["bias", "mine"]]
