"""Writes tables and a plot of two cuts: per second, and over each whole cut."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_pipelines.drawing.line_plot import Panel, save_line_plot
from data_pipelines.runtime.atomic import replaced_file, write_csv
from stavis_jax.cuts.attention_by_second import CutAttention, Second, difference
from stavis_jax.outputs.region_attention import RegionSummary
from stavis_jax.reports.tables import Cell, Column, Row, Table

SECONDS, REGIONS, SUMMARY, PLOT = "seconds.csv", "regions.csv", "summary.csv", "compare.png"
MOST_PANELS = 12  # regions that are plotted
MOST_DIFFERENT = 3  # seconds that are printed
MEASURES = ("concentration", "centre_share", "center_x", "center_y")


@dataclass(frozen=True)
class Comparison:
    """Two cuts and the names under which they are shown."""

    names: tuple[str, str]
    cuts: tuple[CutAttention, CutAttention]

    def seconds(self) -> range:
        """Returns the seconds of the longer cut."""
        return range(1 + max(max(cut.seconds, default=-1) for cut in self.cuts))

    def differences(self) -> dict[int, float]:
        """Returns second -> `difference`, for the seconds that both cuts have."""
        one, other = (cut.seconds for cut in self.cuts)
        return {second: difference(one[second], other[second]) for second in sorted(one.keys() & other.keys())}

    def mean_difference(self) -> float:
        """Returns the mean over the seconds that both cuts have; NaN if there are none."""
        found = self.differences()
        return sum(found.values()) / len(found) if found else math.nan


def write_comparison(folder: Path, comparison: Comparison) -> list[str]:
    """Writes seconds.csv, summary.csv, compare.png and, if there are regions, regions.csv. Returns their names."""
    header = ("second", *(f"{cut}_{measure}" for measure in MEASURES for cut in "ab"), "difference")
    write_csv(folder / SECONDS, header, _rows_of_seconds(comparison))
    written = [SECONDS]
    if comparison.cuts[0].regions:
        write_csv(folder / REGIONS, ("second", "region", "a_share", "b_share"), _rows_of_regions(comparison))
        written.append(REGIONS)
    rows = [(*names, *map(_text, pair), _text(pair[1] - pair[0])) for *names, pair in _totals(comparison)]
    write_csv(folder / SUMMARY, ("region", "measure", "a", "b", "b_minus_a"), rows)
    with replaced_file(folder / PLOT) as path:
        seconds = np.array(comparison.seconds(), float) + 0.5
        title = " and ".join(dict.fromkeys(name.partition(": ")[2] for name in comparison.names))
        save_line_plot(path, seconds, _panels(comparison), title)
    return [*written, SUMMARY, PLOT]


def comparison_table(comparison: Comparison) -> Table:
    """Returns the table of the whole cuts, with the seconds that differ most as notes."""
    rows = tuple(
        Row(measure, (*map(Cell, pair), Cell(pair[1] - pair[0])), group=region)
        for region, measure, pair in _totals(comparison)
    )
    columns = (*(Column(name, ".4g") for name in comparison.names), Column("change", "+.4g"))
    notes = []
    found = comparison.differences()
    if found:
        mean = comparison.mean_difference()
        notes.append(f"Attention differs by {mean:.0%} on average, in the {_count(len(found), 'second')} of both cuts.")
    for second in sorted(found, key=lambda second: -found[second])[:MOST_DIFFERENT]:
        places = [cut.seconds[second].centre() for cut in comparison.cuts]
        notes.append(
            f"Second {second}: {found[second]:.0%} is elsewhere; centre {_place(places[0])} -> {_place(places[1])}."
        )
    return Table("Predicted attention", columns, rows, tuple(notes), heading="measure", marks_best=False)


def _totals(comparison: Comparison) -> Iterator[tuple[str, str, tuple[float, float]]]:
    """Yields region, measure and its values in both cuts. The region of the whole picture has no name."""
    one, other = comparison.cuts
    yield "", "frames", (float(one.num_frames), float(other.num_frames))
    yield "", "concentration", (one.concentration, other.concentration)
    yield "", "centre share", (one.centre_share, other.centre_share)
    for name in one.regions:
        for field in RegionSummary._fields[1:]:
            values = getattr(one.regions[name], field), getattr(other.regions[name], field)
            yield name, field.replace("_", " "), values


def _rows_of_seconds(comparison: Comparison) -> Iterator[tuple]:
    differences = comparison.differences()
    for second in comparison.seconds():
        pairs = zip(*(_measures(cut.seconds.get(second)) for cut in comparison.cuts), strict=True)
        values = [value for pair in pairs for value in pair]
        yield (second, *map(_text, values), _text(differences.get(second, math.nan)))


def _rows_of_regions(comparison: Comparison) -> Iterator[tuple]:
    for second in comparison.seconds():
        for name in comparison.cuts[0].regions:
            shares = [_share(cut, second, name) for cut in comparison.cuts]
            if not all(map(math.isnan, shares)):
                yield (second, name, *map(_text, shares))


def _panels(comparison: Comparison) -> list[Panel]:
    """Returns a panel for each region or, without regions, for each measure, and one for the difference."""
    seconds, panels = comparison.seconds(), []

    def curves(value) -> dict[str, np.ndarray]:
        named = zip(comparison.names, comparison.cuts, strict=True)
        return {name: np.array([value(cut, second) for second in seconds]) for name, cut in named}

    for name in list(comparison.cuts[0].regions)[:MOST_PANELS]:
        panels.append(Panel(f"share: {name}", curves(lambda cut, second, name=name: _share(cut, second, name))))
    if not panels:
        for place, label in enumerate(("concentration", "share of the centre")):
            panels.append(
                Panel(label, curves(lambda cut, second, place=place: _measures(cut.seconds.get(second))[place]))
            )
    found = comparison.differences()
    values = np.array([found.get(second, math.nan) for second in seconds])
    return [*panels, Panel("attention elsewhere", {"difference": values})]


def _measures(second: Second | None) -> tuple[float, ...]:
    """Returns the values of MEASURES; NaN if the cut has no such second."""
    return (second.concentration, second.centre_share, *second.centre()) if second else (math.nan,) * len(MEASURES)


def _share(cut: CutAttention, second: int, region: str) -> float:
    return cut.seconds[second].region_shares[region] if second in cut.seconds else math.nan


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _place(place: tuple[float, float]) -> str:
    return f"({place[0]:.0%}, {place[1]:.0%})"


def _text(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"
