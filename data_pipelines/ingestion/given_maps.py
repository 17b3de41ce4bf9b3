"""Maps that a database publishes in place of gaze: folders of map pictures and fixation maps, one folder for each film.

    <film>/maps/0001.png               density maps
    <film>/fixation/0001.png           fixation maps, or
    <film>/fixation/maps/0001.mat      the same as matrices
    <film>/images/0001.png             frames, if the film is published so

DHF1K, Hollywood-2 and UCF-Sports have these folders; the raw layout (`fixMap_00001.mat` beside `maps`) is read too. The
last number in a file's name is the frame's.
"""

import logging
import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from data_pipelines.films.film import Film
from data_pipelines.films.frame_folder import FrameFolder
from data_pipelines.ingestion.crowd_fixations import FILE_NAME
from data_pipelines.ingestion.gaze import Conventions
from data_pipelines.ingestion.gaze_formats.database_arrays import mat_variables
from data_pipelines.ingestion.gaze_on_frames import FrameGaze
from data_pipelines.ingestion.gaze_tables import SUFFIXES
from data_pipelines.ingestion.viewing_geometry import Viewing
from data_pipelines.raw.layout import read_density, read_levels
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.folders import entries, is_system_name

MAPS, FIXATIONS = ("maps",), ("fixation", "fixations")
_log = logging.getLogger(__name__)
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp")
_LAST_NUMBER = re.compile(r"(\d+)\D*$")
_LOSSY = 127  # JPEG leaves grey around a white pixel
_UCF = r"(Diving|Golf|Kicking|Lifting|Riding|Run|SkateBoarding|Swing|Walk)[\w-]*\d+"
_DATABASES = (  # name of a film, and the Gaussian of the published maps in pixels
    (re.compile(r"0\d{3}|1000"), "DHF1K", 12.74),
    (re.compile(r"actionclip(train|test)\d+(_\d+)?"), "Hollywood-2", 20.0),
    (re.compile(_UCF), "UCF-Sports", 20.0),
)


@dataclass(frozen=True)
class GivenMaps:
    """The maps of one film, by the numbers in their names.

    Attributes:
      density: density maps; none if only fixations are given.
      fixations: fixation maps.
      conventions: the database.
    """

    density: dict[int, Path]
    fixations: dict[int, Path]
    conventions: Conventions


@dataclass(frozen=True)
class MapsOfFrames:
    """The maps of the frames of a film, of frame 1 first. None where a frame has none.

    Attributes:
      num_left_out: maps of frames that the film does not have.
    """

    density: list[Path | None]
    fixations: list[Path | None]
    num_left_out: int

    def size(self) -> tuple[int, int]:
        """Returns (width, height) of the first fixation map. Raises UserError if it cannot be read."""
        first = next((path for path in self.fixations if path), None)
        height, width = read_given_fixations(first).shape if first else (0, 0)
        return width, height

    def gaze(self, frame_size: tuple[int, int]) -> FrameGaze:
        """Returns the fixated pixels as pixels of frames of (width, height)."""
        frames, points = [np.zeros(0, int)], [np.zeros((0, 2), int)]
        for number, path in enumerate(self.fixations, start=1):
            if path:
                fixations = read_given_fixations(path)
                rows, columns = np.nonzero(fixations)
                xy = (np.column_stack([columns, rows]) + 0.5) * frame_size / np.array(fixations.shape[::-1])
                points.append(np.floor(xy).astype(int))
                frames.append(np.full(len(rows), number))
        all_points = np.concatenate(points)
        nobody = np.full(len(all_points), "", object)
        return FrameGaze(np.concatenate(frames), all_points, nobody, 0, 0, np.zeros(0, int), np.zeros((0, 2)))

    def densities(self, frame_size: tuple[int, int]) -> Iterator[np.ndarray | None]:
        """Yields the density map of each frame, uint8 [H, W] of (width, height); None if no frame has one."""
        for path in self.density:
            if not any(self.density):
                yield None
            elif path is None:
                yield np.zeros(frame_size[::-1], np.uint8)
            else:
                yield np.asarray(Image.fromarray(read_density(path)).resize(frame_size, Image.Resampling.BILINEAR))


def find_map_folders(
    paths: Sequence[Path | str], skipped: Collection[Path] = ()
) -> tuple[dict[str, GivenMaps], list[Path]]:
    """Returns name of the film -> its maps, and the paths that hold none. Leaves out the folders `skipped`.

    Raises:
      UserError: a folder has density maps without fixations, or two folders have the same name.
    """
    found: dict[str, GivenMaps] = {}
    others = []
    for path in map(Path, paths):
        folders, files = _map_folders(path, skipped) if path.is_dir() else ([], [])
        maps = {folder: _maps_in(folder) for folder in folders}
        for folder, given in maps.items():
            if given is None:
                continue
            if folder.name in found:
                raise UserError(f"{folder}: another folder of maps has the same name. Rename one of them.")
            found[folder.name] = given
        if not any(maps.values()):
            others.append(path)
        elif files:
            _log.warning(
                "%s: holds maps of films, so that %d tables in it are not read; first: %s. Give one of them.",
                path,
                len(files),
                files[0].name,
            )
    return found, others


def maps_of_frames(maps: GivenMaps, film: Film, num_frames: int) -> MapsOfFrames:
    """Returns which maps belong to which frames.

    The numbers in names count frames from 1, or from 0 if there is a 0. For a folder of pictures, they are the numbers
    in the names of the pictures. Maps whose numbers are of a longer film, as many as there are frames, are in order.
    """
    numbers = sorted(maps.density.keys() | maps.fixations.keys())
    if isinstance(film, FrameFolder) and len({_number(file) for file in film.files} - {None}) == num_frames:
        place = {number: frame for frame, file in enumerate(film.files) if (number := _number(file)) is not None}
    elif numbers[-1] > num_frames and len(numbers) == num_frames:
        place = {number: frame for frame, number in enumerate(numbers)}
    else:
        first = 0 if numbers[0] == 0 else 1
        place = {number: number - first for number in numbers if number - first < num_frames}
    density: list[Path | None] = [None] * num_frames
    fixations: list[Path | None] = [None] * num_frames
    for listed, given in ((density, maps.density), (fixations, maps.fixations)):
        for number, path in given.items():
            if number in place:
                listed[place[number]] = path
    return MapsOfFrames(density, fixations, sum(number not in place for number in numbers))


def read_given_fixations(path: Path) -> np.ndarray:
    """Reads a fixation map of any kind, uint8 [H, W], 0 or 1. Raises UserError if it cannot be read."""
    if path.suffix.lower() != ".mat":
        picture = read_levels(path)
        return (picture > (_LOSSY if path.suffix.lower() in (".jpg", ".jpeg") else 0)).astype(np.uint8)
    variables = mat_variables(path)
    matrices = {name: value for name, value in variables.items() if isinstance(value, np.ndarray) and value.ndim == 2}
    name = next((name for name in ("eyeMap", "I", *matrices) if name in matrices), None)
    if name is None:
        raise UserError(f"{path}: has no matrix, but {', '.join(variables) or 'nothing'}. Give a fixation map [H, W].")
    return (matrices[name] > 0).astype(np.uint8)


def _map_folders(path: Path, skipped: Collection[Path]) -> tuple[list[Path], list[Path]]:
    """Returns the folders below a path that hold maps, and the tables elsewhere."""
    found, tables = [], []
    for root, folders, files in os.walk(path):
        folders[:] = [name for name in folders if Path(root, name) not in skipped]
        if FILE_NAME in files:  # AViMoS: the pictures of fixations beside it are copies that lose some
            folders.clear()
        elif {name.casefold() for name in folders} & {*MAPS, *FIXATIONS}:
            found.append(Path(root))
            folders.clear()
        else:
            tables += [Path(root, name) for name in files if name.lower().endswith(SUFFIXES)]
        folders[:] = sorted(name for name in folders if not is_system_name(name))
    return found, tables


def _maps_in(folder: Path) -> GivenMaps | None:
    """Returns the maps of a film's folder, or None if it has no numbered files where maps would be."""
    children = {child.name.casefold(): child for child in folder.iterdir() if child.is_dir()}
    density = _numbered(next((children[name] for name in MAPS if name in children), None), _PICTURES)
    place = next((children[name] for name in FIXATIONS if name in children), None)
    fixations = _numbered(place, _PICTURES)
    fixations |= _numbered(place / "maps" if place else folder, (".mat",))
    if not density and not fixations:
        return None
    if not fixations:
        raise UserError(
            f"{folder}: has no fixation maps, only density maps. Give pictures in {folder.name}/fixation, "
            f"or matrices in {folder.name}/fixation/maps."
        )
    as_given = "density and fixation maps as given" if density else "fixation maps as given"
    name, sigma = next(
        ((name, sigma) for pattern, name, sigma in _DATABASES if pattern.fullmatch(folder.name)), ("maps", None)
    )
    return GivenMaps(density, fixations, Conventions(name, None, Viewing(sigma=sigma), as_given))


def _numbered(folder: Path | None, suffixes: tuple[str, ...]) -> dict[int, Path]:
    """Returns the files of a folder by the last number in their names."""
    found: dict[int, Path] = {}
    for file in entries(folder) if folder and folder.is_dir() else []:
        number = _number(file)
        if file.suffix.lower() not in suffixes or number is None:
            continue
        if number in found:
            raise UserError(f"{file}: has the same number as {found[number].name}. Remove one of them.")
        found[number] = file
    return found


def _number(file: Path) -> int | None:
    match = _LAST_NUMBER.search(file.stem)
    return int(match[1]) if match else None
