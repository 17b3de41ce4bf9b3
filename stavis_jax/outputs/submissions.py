"""Writes predicted maps in the folders, names and formats that benchmarks ask for.

docs/public_benchmarks.md lists the sources of each layout.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from data_pipelines.drawing.mp4_film import even, mp4_writer
from data_pipelines.films.film import Film, open_film
from data_pipelines.films.frame_folder import FrameFolder
from data_pipelines.ingestion.film_names import named_films, shown_name
from data_pipelines.runtime.atomic import replace_folder, temporary_folder_beside
from data_pipelines.runtime.errors import UserError, reason
from data_pipelines.runtime.folders import is_free
from stavis_jax.maps.map_folders import MapFolder, find_video_folder

FRAME_RATE_HZ = 30.0  # of the benchmarks' films, where their frames are given
MAPS_CRF = 12  # of H.264; maps are smooth, so films stay small
NAMED_IN_AN_ERROR = 3


@dataclasses.dataclass(frozen=True)
class Submission:
    """A benchmark's layout.

    Attributes:
      layout: files of a submission, for the user.
      write: writes the maps of one film into the folder of the submission. Arguments: folder, name of the film, film,
        its maps from frame 1 on, uint8 [h, w].
    """

    layout: str
    write: Callable[[Path, str, Film, Iterator[np.ndarray]], None]


def _numbered_pictures(folder: Path, name: str, film: Film, maps: Iterator[np.ndarray]) -> None:
    """Writes 0601/0001.png and so on. A film that is a folder of frames keeps its name and those of the frames."""
    if isinstance(film, FrameFolder):
        _named_pictures(folder, name, film, maps)
        return
    place = folder / (name.zfill(4) if name.isdecimal() else name)
    place.mkdir()
    for number, saliency in enumerate(maps, start=1):
        _resized(saliency, (film.width, film.height)).save(place / f"{number:04d}.png")


def _named_pictures(folder: Path, name: str, film: Film, maps: Iterator[np.ndarray]) -> None:
    """Writes <film>/<name of the frame>.png."""
    if not isinstance(film, FrameFolder):
        raise UserError(f"{film.path}: the maps take the names of the frames. Give the folder <film>/images.")
    place = folder / name
    place.mkdir()
    for file, saliency in zip(film.files, maps, strict=True):
        _resized(saliency, (film.width, film.height)).save(place / f"{file.stem}.png")


def _grey_film(folder: Path, name: str, film: Film, maps: Iterator[np.ndarray]) -> None:
    """Writes <film>.mp4 of the film's size, with one frame for each of its frames, at a constant rate.

    The benchmark extracts pictures at a constant rate too: irregular times would repeat or drop frames.
    """
    size, step = even((film.width, film.height)), 1 / Fraction(film.nominal_rate_hz)
    with mp4_writer(folder / f"{name}.mp4", film.frame_rate_hz, crf=MAPS_CRF) as add:
        for place, saliency in enumerate(maps):
            add(np.asarray(_resized(saliency, size)), place * step)


_CROWD = Submission("<film>.mp4, grey, of the film's size and number of frames", _grey_film)
SUBMISSIONS = {
    "dhf1k": Submission("<NNNN>/<NNNN>.png of the film's size: 0701/0001.png for 701.AVI", _numbered_pictures),
    "hollywood2": Submission("<film>/<name of the frame>.png of the frame's size", _named_pictures),
    "ucf-sports": Submission("<film>/<name of the frame>.png of the frame's size", _named_pictures),
    "avimos": _CROWD,
    "ntire2026": _CROWD,
    "crowdsal": _CROWD,
}


def write_submission(
    benchmark: str, predictions: Path, films: Sequence[Path | str], output: Path
) -> Iterator[tuple[str, int]]:
    """Writes a submission. Yields the name and the number of frames of each film.

    The folder appears when all films are written.

    Args:
      benchmark: one of `SUBMISSIONS`.
      predictions: folder of the maps: <film>/maps/000001.png, as predict writes them, or <film>/000001.png.
      films: the benchmark's films; see `film_names.named_films`.
      output: folder to write, which must not exist.

    Raises:
      UserError: a film has no maps or not exactly one for each frame, a file cannot be read, or `output` exists.
    """
    if not predictions.is_dir():
        raise UserError(f"{predictions}: no such folder. Give the folder that predict wrote.")
    if not is_free(output):
        raise UserError(f"--output {output}: exists already. Give another folder, or remove it.")
    files = named_films(films)
    folders = _map_folders(predictions, files)
    try:
        with temporary_folder_beside(output) as aside:
            new = aside / "new"
            new.mkdir()
            for name, folder in folders.items():
                path = files[name]
                film = open_film(path, frame_rate_hz=FRAME_RATE_HZ if path.is_dir() else None)
                maps = MapFolder(folder)
                numbers = range(1, _checked_length(film, maps, folder) + 1)
                write = SUBMISSIONS[benchmark].write
                write(new, shown_name(path), film, (maps[number] for number in numbers))
                yield name, len(numbers)
            if not is_free(output):
                raise UserError(f"--output {output}: has appeared in the meantime. Give another folder.")
            replace_folder(new, output)
    except (OSError, av.FFmpegError) as error:
        raise UserError(f"--output {output}: cannot be written ({reason(error)}). Give another folder.") from error


def _map_folders(predictions: Path, files: Mapping[str, Path]) -> dict[str, Path]:
    """Returns the folder of the maps of each film. Raises UserError if a film has none."""
    folders: dict[str, Path] = {}
    missing = []
    for name, path in files.items():
        names = dict.fromkeys((shown_name(path), name))
        found = (find_video_folder(predictions, 1, "", one, flat=True) for one in names)
        folder = next(filter(None, found), None)
        if folder is None:
            missing.append(name)
        else:
            folders[name] = folder
    if missing:
        named = ", ".join(missing[:NAMED_IN_AN_ERROR])
        raise UserError(
            f"{predictions}: {len(missing)} of {len(files)} films have no folder of maps; first: {named}. Predict them "
            "with --outputs maps, or give fewer films."
        )
    return folders


def _checked_length(film: Film, maps: MapFolder, folder: Path) -> int:
    """Returns the number of frames. Raises UserError unless there is one map for each, numbered from 1."""
    num_frames = film.num_frames
    if num_frames != len(maps):  # the header may be wrong
        num_frames = sum(1 for _ in film.shots())
    if missing := [number for number in range(1, num_frames + 1) if number not in maps]:
        raise UserError(
            f"{folder}: {len(missing)} of {num_frames} frames of {film.path.name} have no map; first: frame "
            f"{missing[0]}. Predict the whole film, with --naming frames."
        )
    if len(maps) > num_frames:
        raise UserError(
            f"{folder}: holds {len(maps)} maps, but {film.path.name} has {num_frames} frames. Give the film that was "
            "predicted."
        )
    return num_frames


def _resized(saliency: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Returns a map as a grey picture of (width, height)."""
    picture = Image.fromarray(saliency)
    return picture if picture.size == size else picture.resize(size, Image.Resampling.BICUBIC)
