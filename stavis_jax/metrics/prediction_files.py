"""Predicted maps on disk, of this or any other model: which file holds which frame."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from data_pipelines.errors import UserError

PICTURES = (".jpg", ".jpeg", ".png")


class MapFolder(Mapping[int, np.ndarray]):
    """1-based frame number -> uint8 [h, w], read when asked for.

    The number is what a file's name ends in: pred_sal_000009.jpg, 000009.png. Other files are passed over.
    """

    def __init__(self, folder: Path):
        self._paths: dict[int, Path] = {}
        for path in sorted(folder.iterdir()):
            number = re.search(r"(\d+)$", path.stem)
            if path.suffix.lower() not in PICTURES or not number or path.name.startswith("."):
                continue
            if (earlier := self._paths.setdefault(int(number[1]), path)) != path:
                raise UserError(f"{path}: {earlier.name} is for the same frame. Leave one of them.")

    def __getitem__(self, number: int) -> np.ndarray:
        return read_map(self._paths[number])

    def __contains__(self, number: object) -> bool:
        return number in self._paths

    def __iter__(self) -> Iterator[int]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def read_map(path: Path) -> np.ndarray:
    """An 8-bit picture -> uint8 [h, w]. Of a coloured one the first channel, as the original's scripts read it."""
    try:
        with Image.open(path) as picture:
            if picture.mode in ("1", "P"):
                picture = picture.convert("RGB")
            pixels = np.asarray(picture)
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{path}: not a readable picture ({error}). Write the map again, or remove it.") from None
    if pixels.dtype != np.uint8:
        raise UserError(f"{path}: {picture.mode} pixels instead of 8-bit ones. Save the maps as 8-bit pictures.")
    return pixels if pixels.ndim == 2 else pixels[..., 0]


def find_database_folder(predictions: Path, split: int, database: str) -> Path | None:
    """The folder with the maps of a database, or None.

    It is split<n>_results/<database>, or <database> for all splits where there are no split folders. Databases go by
    the data's name (Coutrot_db1) or by the short one that the original writes (coutrot1).
    """
    root = predictions / f"split{split}_results" if has_split_folders(predictions) else predictions
    return next((path for path in _subfolders(root) if _short_name(path.name) == _short_name(database)), None)


def find_video_folder(predictions: Path, split: int, database: str, video: str) -> Path | None:
    """The folder with one video's maps, <video> or <video>/maps in the database's folder, or None."""
    database_folder = find_database_folder(predictions, split, database)
    if database_folder is None or not (database_folder / video).is_dir():
        return None
    maps = database_folder / video / "maps"
    return maps if maps.is_dir() else database_folder / video


def has_split_folders(predictions: Path) -> bool:
    return any(re.fullmatch(r"split\d+_results", folder.name) for folder in _subfolders(predictions))


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def _short_name(database: str) -> str:
    return database.lower().removesuffix("_av").replace("_db", "")
