"""Tables of an ablation: scores of each system, gains from sound film by film, and cost."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from data_pipelines.runtime.atomic import write_csv, write_text
from stavis_jax.experiments.cost import Cost
from stavis_jax.reports import render
from stavis_jax.reports.console import print_table
from stavis_jax.reports.results_files import results_json, without_nan, write_json
from stavis_jax.reports.score_tables import (
    MEAN_OF_DATABASES,
    metric_column,
    notes_on_metrics,
    score_cells,
    scores_table,
)
from stavis_jax.reports.tables import Cell, Column, Row, Table
from stavis_jax.scoring.aggregation import Results
from stavis_jax.scoring.comparison import ALL_FILMS, Comparison, Difference
from stavis_jax.scoring.frame_scores import METRICS

SHOWN = (*METRICS, "KL", "IG")
SHOWN_DIFFERENCE = "CC"  # on the terminal; the files have all metrics
COST_COLUMNS = (Column("parameters, M", ".2f"), Column("GFLOPs", ".2f"), Column("clips/s", ".1f"))
GAIN_COLUMNS = (
    *(Column(name, "+.4f") for name in ("mean", "95% from", "to")),
    Column("better /worse"),
    Column("p", ".2g"),
)
GAIN_FIELDS = ("mean", "low", "high", "better", "worse", "equal", "p_value")  # of Difference, in ablation.csv


@dataclasses.dataclass(frozen=True)
class System:
    """One system of the ablation.

    Attributes:
        splits: splits that it is scored on.
        cost: None for a row that is not a network.
        gain: its scores minus those of the visual network on the same splits, film by film; None if there is nothing
            to compare with.
    """

    results: Results
    splits: tuple[int, ...]
    cost: Cost | None = None
    gain: Comparison | None = None

    def gains(self) -> dict[str, Difference]:
        """Returns metric -> difference over all films."""
        return {row.metric: row for row in self.gain.differences if row.database == ALL_FILMS} if self.gain else {}

    def cost_cells(self) -> tuple[Cell, ...]:
        """Returns the cells under `COST_COLUMNS`."""
        if self.cost is None:
            return (Cell(None),) * len(COST_COLUMNS)
        return Cell(self.cost.parameters / 1e6), Cell(self.cost.gflops), Cell(self.cost.clips_per_second)


def write_ablation(output: Path, systems: Mapping[str, System], facts: Mapping[str, Any], notes: Sequence[str]) -> None:
    """Writes ablation.md, .tex, .csv and .json into a folder, each whole or not at all.

    Args:
        facts: added to ablation.json.
        notes: lines below the first table.
    """
    output.mkdir(parents=True, exist_ok=True)
    tables = ablation_tables(systems, notes)
    write_text(output / "ablation.md", render.markdown(tables))
    write_text(output / "ablation.tex", render.latex(tables))
    content = results_json({name: system.results for name, system in systems.items()})
    content["systems"] = {name: _described(system) for name, system in systems.items()}
    write_json(output / "ablation.json", {**content, **facts})
    cost_fields = [field.name for field in dataclasses.fields(Cost)]
    header = ["system", "splits", "database", "metric", "value", "low", "high"]
    header += [*(f"minus_visual_{name}" for name in GAIN_FIELDS), *cost_fields]
    write_csv(output / "ablation.csv", header, _lines(content, cost_fields))


def ablation_tables(systems: Mapping[str, System], notes: Sequence[str] = ()) -> list[Table]:
    """Returns tables of scores and cost, of gains over the visual network, of scores of each of several databases."""
    databases = list(dict.fromkeys(name for system in systems.values() for name in system.results.databases))
    title = MEAN_OF_DATABASES.capitalize() if len(databases) > 1 else databases[0]
    rows = [
        Row(name, (*score_cells(of.results.overall, SHOWN, of.results.intervals.overall), *of.cost_cells()))
        for name, of in systems.items()
    ]
    above = ("In brackets: 95% bootstrap interval over films.", *notes_on_metrics(SHOWN), *notes)
    columns = (*map(metric_column, SHOWN), *COST_COLUMNS)
    tables = [Table(f"{title}: scores and cost", columns, tuple(rows), above)]
    if any(system.gain for system in systems.values()):
        tables.append(_gains(systems))
    for database in databases if len(databases) > 1 else ():
        rows = [
            Row(name, score_cells(of.results.databases[database], SHOWN, of.results.intervals.databases[database]))
            for name, of in systems.items()
            if database in of.results.databases
        ]
        tables.append(Table(database, tuple(map(metric_column, SHOWN)), tuple(rows)))
    return tables


def print_ablation(systems: Mapping[str, System], title: str, notes: Sequence[str], console: Console) -> None:
    """Prints scores with their intervals, then the cost of each system and its gain in CC over the visual network."""
    scores = {name: of.results.overall for name, of in systems.items()}
    intervals = {name: of.results.intervals.overall for name, of in systems.items()}
    print_table(dataclasses.replace(scores_table(title, scores, intervals), heading="system"), console)
    narrow = dataclasses.replace(COST_COLUMNS[0], name="param. M")
    rows = [
        Row(name, (*of.cost_cells(), *_printed_gain(of.gains().get(SHOWN_DIFFERENCE)))) for name, of in systems.items()
    ]
    gains_title = f"Cost, and {SHOWN_DIFFERENCE} minus visual's, film by film"
    columns = (narrow, *COST_COLUMNS[1:], *GAIN_COLUMNS)
    print_table(Table(gains_title, columns, tuple(rows), tuple(notes), heading="system"), console)


def _printed_gain(row: Difference | None) -> tuple[Cell, ...]:
    """Returns the cells under `GAIN_COLUMNS`."""
    if row is None:
        return (Cell(""),) * len(GAIN_COLUMNS)
    return tuple(Cell(value) for value in (row.mean, row.low, row.high, f"{row.better}/{row.worse}", row.p_value))


def _gains(systems: Mapping[str, System]) -> Table:
    rows = [
        Row(name, tuple(_gain_cell(of.gains().get(metric)) for metric in SHOWN))
        for name, of in systems.items()
        if of.gain
    ]
    notes = (
        "Mean difference over all films, its 95% bootstrap interval, number of films better and worse than visual, "
        "p of the two-sided sign test. For KL a negative difference is better.",
    )
    return Table("Minus visual, film by film", tuple(map(metric_column, SHOWN)), tuple(rows), notes)


def _gain_cell(row: Difference | None) -> Cell:
    if row is None:
        return Cell(None)
    interval = None if math.isnan(row.low) else (row.low, row.high)
    return Cell(row.mean, interval, f"{row.better}/{row.worse}, p {row.p_value:.2g}")


def _described(system: System) -> dict[str, Any]:
    return {
        "splits": list(system.splits),
        "cost": without_nan(dataclasses.asdict(system.cost)) if system.cost else None,
        "minus_visual": without_nan(list(map(dataclasses.asdict, system.gain.differences))) if system.gain else [],
    }


def _lines(content: Mapping[str, Any], cost_fields: Sequence[str]) -> Iterable[list]:
    """Yields a line for each system, database and metric. The mean of databases has the gains over all films."""
    means = content["databases"] | {MEAN_OF_DATABASES: content["methods"]}
    intervals = content["intervals"]["databases"] | {MEAN_OF_DATABASES: content["intervals"]["methods"]}
    for name, system in content["systems"].items():
        gains = {(row["database"], row["metric"]): row for row in system["minus_visual"]}
        splits = " ".join(map(str, system["splits"]))
        costs = list(map((system["cost"] or {}).get, cost_fields))
        for database, of_systems in means.items():
            compared = ALL_FILMS if database == MEAN_OF_DATABASES else database
            for metric, value in of_systems.get(name, {}).items():
                ends = intervals[database][name].get(metric) or (None, None)
                gain = gains.get((compared, metric), {})
                yield [name, splits, database, metric, value, *ends, *map(gain.get, GAIN_FIELDS), *costs]
