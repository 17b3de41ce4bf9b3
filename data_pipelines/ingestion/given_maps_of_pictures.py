"""Maps of pictures that MIT1003 publishes: <picture>_fixPts.jpg, fixations, beside <picture>_fixMap.jpg, densities."""

from collections.abc import Sequence
from pathlib import Path

from data_pipelines.ingestion.gaze import Conventions
from data_pipelines.ingestion.given_maps import GivenMaps
from data_pipelines.ingestion.viewing_geometry import Viewing
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.folders import is_clutter

FIXATIONS, DENSITY = "_fixPts", "_fixMap"
MIT1003 = Conventions("MIT1003", None, Viewing(sigma=35), "density and fixation maps as given")


def find_map_pictures(paths: Sequence[Path | str]) -> tuple[dict[str, GivenMaps], list[Path]]:
    """Returns name of the picture -> its maps, and the paths that hold none.

    Raises:
      UserError: a picture has fixations without density, or two folders have maps of one picture.
    """
    found: dict[str, GivenMaps] = {}
    others = []
    for path in map(Path, paths):
        files = sorted(path.rglob(f"*{FIXATIONS}.*")) if path.is_dir() else []
        files = [file for file in files if not is_clutter(file.name)]
        for file in files:
            name = file.stem.removesuffix(FIXATIONS)
            density = file.with_stem(name + DENSITY)
            if not density.is_file():
                raise UserError(f"{file}: has no {density.name} beside it. Fetch the maps again.")
            if name in found:
                raise UserError(f"{file}: another folder has maps of the same picture. Give one of them.")
            found[name] = GivenMaps({1: density}, {1: file}, MIT1003)
        if not files:
            others.append(path)
    return found, others
