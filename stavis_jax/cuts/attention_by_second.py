"""Measures the predicted attention of a cut, second by second and over all frames."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stavis_jax.cuts.cut import TimedMap
from stavis_jax.maps.attention import attention_mass, concentration, coverage, share_in
from stavis_jax.maps.regions import Region
from stavis_jax.outputs.region_attention import RegionSummary, RegionTotals, region_attention

CENTRE = (0.25, 0.25, 0.5, 0.5)  # box in shares: a quarter of the picture
CELLS = 16  # rows and columns of the grid on which two cuts are compared


@dataclass(frozen=True)
class Second:
    """Means over the frames of a second.

    Attributes:
      concentration: see `maps.attention.concentration`.
      centre_share: share of saliency in the middle quarter of the picture.
      grid: share of saliency in each cell, float64 [CELLS, CELLS], of sum 1.
      region_shares: share of saliency in each region; NaN while it is not part of the film.
    """

    concentration: float
    centre_share: float
    grid: np.ndarray
    region_shares: Mapping[str, float]

    def centre(self) -> tuple[float, float]:
        """Returns the centre of mass (x, y) in shares of the picture."""
        middles = (np.arange(CELLS) + 0.5) / CELLS
        return float(self.grid.sum(axis=0) @ middles), float(self.grid.sum(axis=1) @ middles)


@dataclass(frozen=True)
class CutAttention:
    """The attention of a cut.

    Attributes:
      num_frames: frames of the cut.
      concentration, centre_share: means over all frames.
      seconds: the number of each second, from 0, that has frames, with its means.
      regions: the summary of each region by its name.
    """

    num_frames: int
    concentration: float
    centre_share: float
    seconds: Mapping[int, Second]
    regions: Mapping[str, RegionSummary]


class _Sums:
    """Sums over the frames of one second."""

    def __init__(self, regions: Sequence[Region]):
        self.num_frames, self.concentration, self.centre_share = 0, 0.0, 0.0
        self.grid = np.zeros((CELLS, CELLS))
        self.of_regions = {region.name: RegionTotals() for region in regions}

    def means(self) -> Second:
        shares = {name: totals.summary().mean_share for name, totals in self.of_regions.items()}
        count = self.num_frames
        return Second(self.concentration / count, self.centre_share / count, self.grid / count, shares)


def attention_by_second(maps: Iterable[TimedMap], regions: Sequence[Region] = ()) -> CutAttention:
    """Returns the attention of a cut.

    Args:
      maps: of all frames, of one size.
      regions: with boxes in shares of the picture; see `Regions.in_shares`.
    """
    sums: dict[int, _Sums] = {}
    totals = {region.name: RegionTotals() for region in regions}
    cells: np.ndarray | None = None
    for seconds, saliency in maps:
        mass = attention_mass(saliency)
        if cells is None:
            edges = np.arange(CELLS + 1) / CELLS
            cells = np.stack([coverage(start, start + 1 / CELLS, len(mass)) for start in edges[:-1]])
        of_second = sums.setdefault(int(seconds), _Sums(regions))
        of_second.num_frames += 1
        of_second.concentration += concentration(mass)
        of_second.centre_share += share_in(mass, CENTRE)
        of_second.grid += cells @ mass @ cells.T
        for region in regions:
            if box := region.box_at(seconds):
                found = region_attention(mass, box)
                totals[region.name].add(seconds, found)
                of_second.of_regions[region.name].add(seconds, found)
    num_frames = sum(one.num_frames for one in sums.values())
    count = num_frames or math.nan
    return CutAttention(
        num_frames,
        sum(one.concentration for one in sums.values()) / count,
        sum(one.centre_share for one in sums.values()) / count,
        {second: one.means() for second, one in sums.items()},
        {name: of_region.summary() for name, of_region in totals.items()},
    )


def difference(one: Second, other: Second) -> float:
    """Returns the share of attention that is elsewhere in the other cut: sum |p - q| / 2 over the cells, 0 to 1."""
    return float(np.abs(one.grid - other.grid).sum() / 2)
