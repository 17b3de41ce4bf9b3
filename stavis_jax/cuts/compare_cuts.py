"""Compares two cuts of a film and writes the result."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from data_pipelines.runtime.atomic import locked_folder
from data_pipelines.runtime.errors import UserError
from stavis_jax.cuts.attention_by_second import attention_by_second
from stavis_jax.cuts.comparison import Comparison, write_comparison
from stavis_jax.cuts.cut import Cut, TimedMap, open_cut
from stavis_jax.maps.regions import Region, Regions
from stavis_jax.prediction.protocol import SaliencyModel

ShowProgress = Callable[[Cut], Iterable[TimedMap]]


def compare_cuts(
    a: Path,
    b: Path,
    output: Path,
    load: Callable[[], SaliencyModel],
    *,
    regions: Regions | None = None,
    how: Mapping[str, Any] | None = None,
    maps_of: ShowProgress = lambda cut: cut.maps(),
) -> tuple[Comparison, list[str]]:
    """Compares two cuts, and writes tables and a plot into a folder. Returns the comparison and the files' names.

    Args:
      a, b: folders of predictions with maps.npz, or films, which are predicted.
      output: the folder. Files of an earlier comparison in it are replaced.
      load: loads the network; called if a film has to be predicted.
      regions: named boxes, the same in both cuts.
      how: arguments of `predict_film`.
      maps_of: returns the maps of a cut, and may show how many have been taken.

    Raises:
      UserError: a cut cannot be read or predicted, a region is not within a film, or the folder cannot be written.
    """
    if output.exists() and not output.is_dir():
        raise UserError(f"--output {output}: this is a file. Name a folder.")
    cuts = [open_cut(path, load, how) for path in (a, b)]
    boxes = [_in_shares(regions, path, cut) for path, cut in zip((a, b), cuts, strict=True)]
    with locked_folder(output):  # the files of two runs must not mix
        first, second = (attention_by_second(maps_of(cut), of_cut) for cut, of_cut in zip(cuts, boxes, strict=True))
        comparison = Comparison((f"A: {cuts[0].name}", f"B: {cuts[1].name}"), (first, second))
        return comparison, write_comparison(output, comparison)


def _in_shares(regions: Regions | None, path: Path, cut: Cut) -> tuple[Region, ...]:
    if regions is None:
        return ()
    if cut.film_size is None and regions.unit == "pixels":
        raise UserError(
            f"{path}: does not tell the size of its film in pixels. Predict it again, or give the boxes of "
            f"{regions.path} in shares."
        )
    return regions.in_shares(cut.film_size or (1, 1))
