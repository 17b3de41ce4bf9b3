"""Reads the published results: Tables 4 and 5 of the paper's supplement."""

import csv
import dataclasses
import functools
import importlib.resources

from data_pipelines.raw.databases import DATABASES
from data_pipelines.raw.fold_lists import table_3
from stavis_jax.reports.tables import Math

SOURCE = (
    "Tsiami, Koutras, Maragos: STAViS: Spatio-Temporal AudioVisual Saliency Network, CVPR 2020, "
    "supplementary material, Tables 4 and 5"
)
TABLES = {"Table 4": ("DIEM", "Coutrot1", "Coutrot2"), "Table 5": ("AVAD", "SumMe", "ETMD")}
# Names of the authors' systems in LaTeX. The other methods have the names of the tables.
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
        method: short name; for the authors' systems the name of the variant in this project.
        name: name in the table.
        by_authors: whether it is one of the paper's own systems.
        scores: database, by its name in the paper -> metric -> value.
    """

    method: str
    name: Math
    by_authors: bool
    scores: dict[str, dict[str, float]]


@functools.cache
def rows() -> tuple[PublishedRow, ...]:
    """Returns all methods, in the order of the tables."""
    content = importlib.resources.files("stavis_jax.reports").joinpath("published_results.csv").read_text("utf-8")
    found: dict[str, PublishedRow] = {}
    for line in csv.DictReader(content.splitlines()):
        method = line["method"]
        row = found.setdefault(
            method, PublishedRow(method, Math(NAMES.get(method, method)), line["kind"] == "stavis", {})
        )
        row.scores.setdefault(line["database"], {})[line["metric"]] = float(line["value"])
    return tuple(found.values())


def paper_name(database: str) -> str | None:
    """Returns the paper's name of the database in this folder, None if the paper has no results for it."""
    return DATABASES[database].name if database in DATABASES else None


def num_test_videos(database: str) -> int:
    """Returns the number of test videos that Table 3 of the supplement lists for a database, over all splits.

    `database`: its folder.
    """
    return sum(map(len, table_3()[database].values()))
