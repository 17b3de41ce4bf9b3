"""Compares two cuts of a film and writes the result."""

import contextlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from data_pipelines.runtime.errors import UserError, one_line
from data_pipelines.runtime.folders import is_clutter, is_free
from stavis_jax.cuts.attention_by_second import attention_by_second
from stavis_jax.cuts.compare_film import write_compare_film
from stavis_jax.cuts.comparison import PLOT, REGIONS, SECONDS, SUMMARY, Comparison, write_comparison
from stavis_jax.cuts.cut import Cut, open_cut
from stavis_jax.cuts.kept_maps import kept_maps
from stavis_jax.maps.regions import Region, Regions
from stavis_jax.outputs.folder import finished_folder
from stavis_jax.prediction.protocol import SaliencyModel

FILM = "compare.mp4"
SETTINGS = "compare.json"  # marks a folder as written by this module
FILES = (SECONDS, REGIONS, SUMMARY, PLOT, FILM, SETTINGS)
Item = TypeVar("Item")

_log = logging.getLogger(__name__)


class Watch(Protocol):
    """Passes items on, and may show how many have come. `total` may be unknown."""

    def __call__(self, items: Iterable[Item], name: str, total: int | None) -> Iterable[Item]: ...


def compare_cuts(
    a: Path,
    b: Path,
    output: Path,
    load: Callable[[], SaliencyModel],
    *,
    regions: Regions | None = None,
    how: Mapping[str, Any] | None = None,
    watch: Watch = lambda items, name, total: items,
) -> tuple[Comparison, list[str]]:
    """Compares two cuts, and writes a folder with tables, a plot and, of films, both side by side.

    The folder appears when all is written. An earlier comparison in its place is replaced.

    Args:
      a, b: folders of predictions with maps.npz, or films, which are predicted.
      output: the folder.
      load: loads the network; called if a film has to be predicted.
      regions: named boxes, the same in both cuts.
      how: arguments of `predict_film`.
      watch: watches the maps of each cut and the frames of the film.

    Returns:
      The comparison and the names of the files.

    Raises:
      UserError: a cut cannot be read or predicted, a region is not within a film, or the folder cannot be written or
        holds something else.
    """
    check_replaceable(output)
    cuts = [open_cut(path, load, how) for path in (a, b)]
    boxes = [_in_shares(regions, path, cut) for path, cut in zip((a, b), cuts, strict=True)]
    films = [cut.film for cut in cuts if cut.film]
    with finished_folder(output, check_replaceable) as folder, contextlib.ExitStack() as opened:
        kept = [opened.enter_context(kept_maps(folder)) for _ in cuts]
        found = []
        for cut, of_cut, keep in zip(cuts, boxes, kept, strict=True):
            maps = watch(cut.maps(), cut.name, cut.num_frames)
            found.append(attention_by_second(keep.watch(maps) if len(films) == len(cuts) else maps, of_cut))
        networks = [dict(cut.network()) for cut in cuts]
        _warn_of_different(networks)
        comparison = Comparison((f"A: {cuts[0].name}", f"B: {cuts[1].name}"), (found[0], found[1]))
        names = write_comparison(folder, comparison)
        if len(films) == len(cuts):
            captions = [one_line(name) for name in comparison.names]
            with contextlib.closing(write_compare_film(folder / FILM, films, kept, captions)) as frames:
                for _ in watch(frames, FILM, None):
                    pass
            names.append(FILM)
        settings = {"a": str(a), "b": str(b), "networks": networks, "regions": regions and regions.digest()}
        (folder / SETTINGS).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    return comparison, names


def check_replaceable(folder: Path) -> None:
    """Raises UserError unless a folder is missing, is empty, or holds a comparison and no other file."""
    advice = "Use another --output."
    if folder.is_symlink():
        raise UserError(f"{folder}: is a link and is not replaced. {advice}")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--output {folder}: this is a file. Name a folder.")
    if folder.exists() and folder.samefile(Path.cwd()):
        raise UserError(f"--output {folder}: is the current folder, which cannot be replaced. Name a folder in it.")
    if is_free(folder):
        return
    for path in sorted(folder.iterdir()):
        if path.name not in FILES and not is_clutter(path.name):
            raise UserError(
                f"{folder}: holds {path.name}, which is not part of a comparison, so it is not overwritten. {advice}"
            )
    if not (folder / SETTINGS).is_file():
        raise UserError(f"{folder}: is not a comparison and is not overwritten. {advice}")


def _warn_of_different(networks: Sequence[Mapping[str, Any]]) -> None:
    """Warns if the cuts were not predicted alike. Settings that one of them does not know are not compared."""
    one, other = networks
    different = [name for name in one if name in other and one[name] != other[name]]
    if different:
        said = ", ".join(f"{name}: {one[name]} and {other[name]}" for name in different)
        _log.warning(
            "A and B were not predicted alike (%s), so they differ for that reason too. Predict both alike.", said
        )


def _in_shares(regions: Regions | None, path: Path, cut: Cut) -> tuple[Region, ...]:
    if regions is None:
        return ()
    if cut.film_size is None and regions.unit == "pixels":
        raise UserError(
            f"{path}: does not tell the size of its film in pixels. Predict it again, or give the boxes of "
            f"{regions.path} in shares."
        )
    return regions.in_shares(cut.film_size or (1, 1))
