"""Finds and reads predicted maps on disk, of this or any other model."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from data_pipelines.raw.name_forms import FILM_SUFFIXES, Names
from data_pipelines.raw.pictures import open_picture
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.folders import entries, subfolders

PICTURES = (".jpg", ".jpeg", ".png")
MapFiles = Literal["png", "matlab"]


def scored_map_path(root: Path, split: int, database: str, video: str, number: int, files: MapFiles) -> Path:
    """Returns the file of a test film's map: ROOT/split1_results/DIEM/<video>/pred_sal_000009.png.

    "matlab" is what the released MATLAB code reads: ROOT/split1_results/diem/<video>/pred_sal_000009.jpg.
    """
    folder, suffix = (short_name(database), "jpg") if files == "matlab" else (database, "png")
    return root / f"split{split}_results" / folder / video / f"pred_sal_{number:06d}.{suffix}"


def map_path(folder: Path, number: int) -> Path:
    """Returns the file of the map of frame `number`, counted from 1."""
    return folder / f"{number:06d}.png"


class MapFolder(Mapping[int, np.ndarray]):
    """Maps frame numbers, from 1, to saliency maps uint8 [h, w]. A map is read each time it is accessed.

    The frame number is the number at the end of the file name: pred_sal_000009.jpg, 000009.png. If no name ends in a
    number, it is the last number in the name: frame000009_pred.png. Other files are ignored.

    Attributes:
      coloured: numbers of the maps read so far that are not grey.
    """

    def __init__(self, folder: Path):
        """`folder`: of the maps, or the file of the one map of a still."""
        self._paths: dict[int, Path] = {}
        self.coloured: set[int] = set()
        if folder.is_file():
            self._paths[1] = folder
            return
        pictures = [path for path in entries(folder) if path.suffix.lower() in PICTURES]
        of_name = _numbered(pictures, r"(\d+)$") or _numbered(pictures, r"(\d+)\D*$")
        for path, number in of_name.items():
            if (earlier := self._paths.setdefault(number, path)) != path:
                raise UserError(f"{path}: {earlier.name} belongs to the same frame, {number}. Remove one of them.")

    def __getitem__(self, number: int) -> np.ndarray:
        saliency_map, coloured = read_map(self._paths[number])
        if coloured:
            self.coloured.add(number)
        return saliency_map

    def __contains__(self, number: object) -> bool:
        return number in self._paths

    def __iter__(self) -> Iterator[int]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def _numbered(paths: Sequence[Path], pattern: str) -> dict[Path, int]:
    """Returns path -> number, of the paths in whose names without suffix `pattern` finds one."""
    found = ((path, re.search(pattern, path.stem)) for path in paths)
    return {path: int(number[1]) for path, number in found if number}


def read_map(path: Path) -> tuple[np.ndarray, bool]:
    """Returns an 8-bit picture as a map uint8 [h, w], and whether red, green and blue differ anywhere in it.

    The map is the first channel of a coloured picture, as in the original's scripts.
    """
    try:
        if not path.is_file():  # a pipe would keep its reader waiting
            raise OSError("not a file")
        with open_picture(path) as picture:
            if picture.mode in ("1", "P", "PA", "CMYK", "YCbCr"):
                picture = picture.convert("RGB")
            pixels = np.asarray(picture)
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{path}: not a readable picture ({error}). Write the map again, or remove it.") from None
    if pixels.dtype != np.uint8:
        raise UserError(f"{path}: has {picture.mode} pixels, expected 8-bit ones. Save the maps as 8-bit pictures.")
    if pixels.ndim == 2:
        return pixels, False
    colours = pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., :1]
    return pixels[..., 0], bool((colours != colours[..., :1]).any())


def find_database_folder(predictions: Path, split: int, database: str, *, flat: bool = False) -> Path | None:
    """Returns the folder with the maps of a database, or None if there is none.

    It is split<n>_results/<database>, or <database> for all splits if there are no split folders. The name of the
    folder is that of the data (Coutrot_db1) or the short one that the original writes (coutrot1).

    Args:
      predictions: the folder of all predictions.
      split: number of the split, from 1.
      database: name of the database.
      flat: whether the folder of the database may be missing, with the videos in the folder above. Only for a single
        database.
    """
    root = predictions_root(predictions, split)
    found = next((path for path in subfolders(root) if short_name(path.name) == short_name(database)), None)
    return root if found is None and flat and root.is_dir() else found


def find_video_folder(predictions: Path, split: int, database: str, video: str, *, flat: bool = False) -> Path | None:
    """Returns the folder with the maps of a video, <video>/maps or <video> in the folder of its database, or None.

    The folder's name may differ from the video's in form: see `Names`.
    """
    database_folder = find_database_folder(predictions, split, database, flat=flat)
    found = Names(path.name for path in subfolders(database_folder)).find(video) if database_folder else None
    if database_folder is None or found is None:
        return None
    maps = database_folder / found / "maps"
    return maps if maps.is_dir() else database_folder / found


def find_still_map(predictions: Path, split: int, database: str, video: str, *, flat: bool = False) -> Path | None:
    """Returns the file with the map of a still, <picture>.png or .jpg in the folder of its database, or None.

    Raises UserError if there are two.
    """
    folder = find_database_folder(predictions, split, database, flat=flat)
    found = [folder / f"{video}{suffix}" for suffix in PICTURES] if folder else []
    found = [path for path in found if path.is_file()]
    if len(found) > 1:
        raise UserError(f"{found[1]}: {found[0].name} is a map of the same picture. Remove one of them.")
    return found[0] if found else None


def find_map_film(predictions: Path, split: int, database: str, video: str, *, flat: bool = False) -> Path | None:
    """Returns the film of a video's maps, <video>.mp4 or another format in the folder of its database, or None.

    The file's name may differ from the video's in form: see `Names`.
    """
    folder = find_database_folder(predictions, split, database, flat=flat)
    films = [path for path in entries(folder) if path.suffix.lower() in FILM_SUFFIXES] if folder else []
    found = Names(path.name for path in films).find(video)
    return folder / found if folder and found else None


def predictions_root(predictions: Path, split: int) -> Path:
    """Returns the folder of the databases: split<n>_results, or `predictions` itself without split folders."""
    return predictions / f"split{split}_results" if has_split_folders(predictions) else predictions


def has_split_folders(predictions: Path) -> bool:
    return any(re.fullmatch(r"split\d+_results", folder.name) for folder in subfolders(predictions))


def short_name(database: str) -> str:
    """Returns a database's folder in the released code's predictions: ETMD_av -> etmd, Coutrot_db1 -> coutrot1."""
    return database.lower().removesuffix("_av").replace("_db", "")
