"""Systems that were trained alike, side by side: scores, what sound adds film by film, what it costs."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from data_pipelines.runtime.atomic import write_csv, write_text
from stavis_jax.experiments.cost import Cost
from stavis_jax.reports.paper_tables import FACTS, NO_VALUE, Cell, PaperTable, Row, notes_on_metrics, printed
from stavis_jax.reports.table_text import latex, markdown
from stavis_jax.reports.tables import MEAN_OF_DATABASES, print_table, results_json
from stavis_jax.scoring import bootstrap
from stavis_jax.scoring.aggregation import Results
from stavis_jax.scoring.comparison import ALL_FILMS, Comparison, Difference
from stavis_jax.scoring.frame_scores import METRICS

SHOWN = (*METRICS, "KL", "IG")
SHOWN_DIFFERENCE = "CC"  # on the terminal; the files have all


@dataclasses.dataclass(frozen=True)
class System:
    """One row.

    Attributes:
        splits: those it is scored on.
        cost, gain: None for what is no network, or has nothing to be compared with; `gain` is its scores minus those
            of the picture alone, film by film, on the same splits.
    """

    results: Results
    splits: tuple[int, ...]
    cost: Cost | None = None
    gain: Comparison | None = None


def write_ablation(output: Path, systems: Mapping[str, System], facts: Mapping[str, Any], notes: Sequence[str]) -> None:
    """Writes ablation.md, .tex, .csv and .json into a folder; each is there whole or not at all.

    `facts` are added to ablation.json; `notes` are lines below the first table.
    """
    output.mkdir(parents=True, exist_ok=True)
    tables = ablation_tables(systems, notes)
    write_text(output / "ablation.md", "\n".join(map(markdown, tables)))
    write_text(output / "ablation.tex", "\n".join(map(latex, tables)))
    content = results_json({name: system.results for name, system in systems.items()})
    content["systems"] = {name: _described(system) for name, system in systems.items()}
    write_text(output / "ablation.json", json.dumps({**content, **facts}, indent=2, allow_nan=False) + "\n")
    write_csv(output / "ablation.csv", *_lines(content))


def ablation_tables(systems: Mapping[str, System], notes: Sequence[str] = ()) -> list[PaperTable]:
    """Scores and cost over all databases; gains over the picture alone; scores of each of several databases."""
    films = {name: bootstrap.film_scores(system.results.videos) for name, system in systems.items()}
    databases = list(dict.fromkeys(name for system in systems.values() for name in system.results.databases))
    overall = {name: bootstrap.overall_intervals(of) for name, of in films.items()}
    title = MEAN_OF_DATABASES.capitalize() if len(databases) > 1 else databases[0]
    rows = [
        Row(name, (*_scores(system.results.overall, overall[name]), *_cost_cells(system.cost)))
        for name, system in systems.items()
    ]
    columns = tuple((title, metric) for metric in (*SHOWN, *FACTS))
    above = ["In brackets: 95% bootstrap interval over films.", *notes_on_metrics(SHOWN), *notes]
    tables = [PaperTable(f"{title}: scores and cost", columns, tuple(rows), tuple(above))]
    if any(system.gain for system in systems.values()):
        tables.append(_gains(systems))
    if len(databases) > 1:
        of_databases = {name: bootstrap.database_intervals(of) for name, of in films.items()}
        for database in databases:
            rows = [
                Row(name, _scores(system.results.databases[database], of_databases[name][database]))
                for name, system in systems.items()
                if database in system.results.databases
            ]
            tables.append(PaperTable(database, tuple((database, metric) for metric in SHOWN), tuple(rows)))
    return tables


def print_ablation(systems: Mapping[str, System], title: str, notes: Sequence[str], console: Console) -> None:
    """Scores with their intervals; below them each system's cost and its gain in CC over the picture alone."""
    intervals = {
        name: bootstrap.overall_intervals(bootstrap.film_scores(system.results.videos))
        for name, system in systems.items()
    }
    print_table(
        {name: system.results.overall for name, system in systems.items()},
        title,
        heading="system",
        intervals=intervals,
        console=console,
    )
    table = Table(title=f"Cost, and {SHOWN_DIFFERENCE} minus visual's, film by film", title_justify="left")
    table.box, table.pad_edge, table.collapse_padding = box.SIMPLE_HEAD, False, True
    table.add_column("system", overflow="fold", min_width=len("l1-audio-only"))
    for heading in ("param.\nM", "GFLOPs", "clips/s", "mean", "95%\nfrom", "to", "better\n/worse", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, system in systems.items():
        cost = [printed(cell.value, fact) for cell, fact in zip(_cost_cells(system.cost), FACTS, strict=True)]
        row = _over_all_films(system.gain).get(SHOWN_DIFFERENCE)
        gain = [""] * 5
        if row is not None:
            ends = [NO_VALUE if math.isnan(end) else f"{end:+.4f}" for end in (row.low, row.high)]
            gain = [f"{row.mean:+.4f}", *ends, f"{row.better}/{row.worse}", f"{row.p_value:.2g}"]
        table.add_row(name, *cost, *gain)
    console.print(table)
    for note in notes:
        console.print(note, markup=False, highlight=False)


def _gains(systems: Mapping[str, System]) -> PaperTable:
    rows = []
    for name, system in systems.items():
        if system.gain is None:
            continue
        found = _over_all_films(system.gain)
        rows.append(Row(name, tuple(_gain_cell(found.get(metric), metric) for metric in SHOWN)))
    notes = (
        "Mean difference over all films, its 95% bootstrap interval, on how many films better and worse than visual, "
        "p of the two-sided sign test. For KL a negative difference is better.",
    )
    return PaperTable(
        "Minus visual, film by film", tuple(("minus visual", metric) for metric in SHOWN), tuple(rows), notes
    )


def _gain_cell(row: Difference | None, metric: str) -> Cell:
    if row is None:
        return Cell(math.nan)
    test = f"{row.better}/{row.worse}, p {row.p_value:.2g}"
    return Cell(row.mean, note=f"{_ends(row.low, row.high, metric)} {test}".strip())


def _ends(low: float, high: float, metric: str) -> str:
    """Of an interval; nothing for that of a single film."""
    return "" if math.isnan(low) or math.isnan(high) else f"({printed(low, metric)} to {printed(high, metric)})"


def _over_all_films(gain: Comparison | None) -> dict[str, Difference]:
    """Metric -> difference."""
    return {row.metric: row for row in gain.differences if row.database == ALL_FILMS} if gain else {}


def _scores(scores: Mapping[str, float], intervals: bootstrap.Intervals) -> tuple[Cell, ...]:
    cells = []
    for metric in SHOWN:
        ends = intervals.get(metric, (math.nan, math.nan))
        cells.append(Cell(scores.get(metric, math.nan), note=_ends(*ends, metric)))
    return tuple(cells)


def _cost_cells(cost: Cost | None) -> tuple[Cell, ...]:
    """In the order of FACTS."""
    if cost is None:
        return (Cell(math.nan),) * len(FACTS)
    return Cell(cost.parameters / 1e6), Cell(cost.gflops), Cell(cost.clips_per_second)


def _described(system: System) -> dict[str, Any]:
    differences = [dataclasses.asdict(row) for row in system.gain.differences] if system.gain else []
    return {
        "splits": list(system.splits),
        "cost": _without_nan(dataclasses.asdict(system.cost)) if system.cost else None,
        "minus_visual": [_without_nan(row) for row in differences],
    }


def _without_nan(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in values.items()}


def _lines(content: Mapping[str, Any]) -> tuple[list[str], list[list]]:
    """A line a system, database and metric; the mean of several databases, and gains over all films, last."""
    header = ["system", "splits", "database", "metric", "value", "low", "high"]
    header += [f"minus_visual_{name}" for name in ("mean", "low", "high", "better", "worse", "equal", "p_value")]
    costs = [field.name for field in dataclasses.fields(Cost)]
    means = content["databases"] | {MEAN_OF_DATABASES: content["methods"]}
    intervals = content["intervals"]["databases"] | {MEAN_OF_DATABASES: content["intervals"]["methods"]}
    lines = []
    for name, system in content["systems"].items():
        gains = {(row["database"], row["metric"]): row for row in system["minus_visual"]}
        cost = [(system["cost"] or {}).get(field) for field in costs]
        for database, of_systems in means.items():
            gains_over = ALL_FILMS if database == MEAN_OF_DATABASES else database
            for metric, value in of_systems.get(name, {}).items():
                low, high = intervals[database][name].get(metric) or (None, None)
                gain = gains.get((gains_over, metric), {})
                of_gain = [gain.get(key.removeprefix("minus_visual_")) for key in header[7:]]
                splits = " ".join(map(str, system["splits"]))
                line = [name, splits, database, metric, value, low, high, *of_gain, *cost]
                lines.append(["" if item is None else item for item in line])
    return header + costs, lines
