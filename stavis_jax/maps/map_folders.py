"""Predicted maps on disk, of this or any other model: which file holds which frame."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from data_pipelines.raw.pictures import open_picture
from data_pipelines.runtime.errors import UserError

PICTURES = (".jpg", ".jpeg", ".png")


class MapFolder(Mapping[int, np.ndarray]):
    """1-based frame number -> uint8 [h, w], read when asked for.

    The number is what a file's name ends in: pred_sal_000009.jpg, 000009.png. Other files are passed over.
    `coloured`: numbers of the maps read so far that are not grey.
    """

    def __init__(self, folder: Path):
        self._paths: dict[int, Path] = {}
        self.coloured: set[int] = set()
        for path in sorted(folder.iterdir()):
            number = re.search(r"(\d+)$", path.stem)
            if path.suffix.lower() not in PICTURES or not number or path.name.startswith("."):
                continue
            if (earlier := self._paths.setdefault(int(number[1]), path)) != path:
                raise UserError(f"{path}: {earlier.name} is for the same frame. Leave one of them.")

    def __getitem__(self, number: int) -> np.ndarray:
        saliency_map, coloured = read_picture(self._paths[number])
        if coloured:
            self.coloured.add(number)
        return saliency_map

    def __contains__(self, number: object) -> bool:
        return number in self._paths

    def __iter__(self) -> Iterator[int]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def read_map(path: Path) -> np.ndarray:
    """An 8-bit picture -> uint8 [h, w]. Of a coloured one the first channel, as the original's scripts read it."""
    return read_picture(path)[0]


def read_picture(path: Path) -> tuple[np.ndarray, bool]:
    """`read_map`, and whether the picture is coloured: its red, green and blue differ somewhere."""
    try:
        if not path.is_file():  # a pipe would keep its reader waiting
            raise OSError("it is no file")
        with open_picture(path) as picture:
            if picture.mode in ("1", "P"):
                picture = picture.convert("RGB")
            pixels = np.asarray(picture)
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{path}: not a readable picture ({error}). Write the map again, or remove it.") from None
    if pixels.dtype != np.uint8:
        raise UserError(f"{path}: {picture.mode} pixels instead of 8-bit ones. Save the maps as 8-bit pictures.")
    if pixels.ndim == 2:
        return pixels, False
    colours = pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., :1]
    return pixels[..., 0], bool((colours != colours[..., :1]).any())


def find_database_folder(predictions: Path, split: int, database: str, *, flat: bool = False) -> Path | None:
    """The folder with the maps of a database, or None.

    It is split<n>_results/<database>, or <database> for all splits where there are no split folders. Databases go by
    the data's name (Coutrot_db1) or by the short one that the original writes (coutrot1). `flat`: the data have one
    database; without a folder of its name its videos lie in the folder above.
    """
    root = predictions_root(predictions, split)
    found = next((path for path in subfolders(root) if short_name(path.name) == short_name(database)), None)
    return root if found is None and flat and root.is_dir() else found


def find_video_folder(predictions: Path, split: int, database: str, video: str, *, flat: bool = False) -> Path | None:
    """The folder with one video's maps, <video> or <video>/maps in the database's folder, or None."""
    database_folder = find_database_folder(predictions, split, database, flat=flat)
    if database_folder is None or not (database_folder / video).is_dir():
        return None
    maps = database_folder / video / "maps"
    return maps if maps.is_dir() else database_folder / video


def predictions_root(predictions: Path, split: int) -> Path:
    """The folder of the databases: split<n>_results, or the predictions' own where there are no split folders."""
    return predictions / f"split{split}_results" if has_split_folders(predictions) else predictions


def has_split_folders(predictions: Path) -> bool:
    return any(re.fullmatch(r"split\d+_results", folder.name) for folder in subfolders(predictions))


def subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def short_name(database: str) -> str:
    return database.lower().removesuffix("_av").replace("_db", "")
