"""The results that the paper publishes, as data: Tables 4 and 5 of its supplement."""

import csv
import dataclasses
import functools
import importlib.resources
import json

from data_pipelines.raw.databases import DATABASES

SOURCE = (
    "Tsiami, Koutras, Maragos: STAViS: Spatio-Temporal AudioVisual Saliency Network, CVPR 2020, "
    "supplementary material, Tables 4 and 5"
)
TABLES = {"Table 4": ("DIEM", "Coutrot1", "Coutrot2"), "Table 5": ("AVAD", "SumMe", "ETMD")}
# The authors' systems in LaTeX; other methods are called what the table calls them.
NAMES = {
    "visual": "Visual",
    "l1-audio-only": "$L_{1}$-AudioOnly",
    "l2-audio-only": "$L_{2}$-AudioOnly",
    "l3-audio-only": "$L_{3}$-AudioOnly",
    "l1-s1": "$L_{1}$-$S_{1}^{av}$",
    "l2-s1": "$L_{2}$-$S_{1}^{av}$",
    "l3-s1": "$L_{3}$-$S_{1}^{av}$",
    "l1-s2": "$L_{1}$-$S_{2}^{av}$",
    "l2-s2": "$L_{2}$-$S_{2}^{av}$",
    "l3-s2": "$L_{3}$-$S_{2}^{av}$",
    "l3mul-s2": "$L_{3}^{mul}$-$S_{2}^{av}$",
    "l3mul-s3": "$L_{3}^{mul}$-$S_{3}^{av}$ (proposed)",
    "l3mul-fus": "$L_{3}^{mul}$-$S_{fus}^{av}$",
}


@dataclasses.dataclass(frozen=True)
class PublishedRow:
    """One method of the tables.

    Attributes:
        method: its short name; for the authors' systems what this project calls the variant.
        name: what the table prints, as LaTeX.
        by_authors: one of the paper's own systems, not one it compares with.
        scores: database, by its name in the paper -> metric -> value.
    """

    method: str
    name: str
    by_authors: bool
    scores: dict[str, dict[str, float]]


@functools.cache
def rows() -> tuple[PublishedRow, ...]:
    """All methods, in the order of the tables."""
    content = importlib.resources.files("stavis_jax.reports").joinpath("published_results.csv").read_text("utf-8")
    found: dict[str, PublishedRow] = {}
    for line in csv.DictReader(content.splitlines()):
        method = line["method"]
        row = found.setdefault(method, PublishedRow(method, NAMES.get(method, method), line["kind"] == "stavis", {}))
        row.scores.setdefault(line["database"], {})[line["metric"]] = float(line["value"])
    return tuple(found.values())


def paper_name(database: str) -> str | None:
    """What the paper calls the database in this folder; None for one that it has no results for."""
    return DATABASES[database].name if database in DATABASES else None


@functools.cache
def num_test_videos(database: str) -> int:
    """How many test videos the paper lists for a database (its folder), all splits together: supplement, Table 3."""
    table_3 = json.loads(importlib.resources.files("data_pipelines.raw").joinpath("splits.json").read_text("utf-8"))
    return sum(map(len, table_3[database].values()))
