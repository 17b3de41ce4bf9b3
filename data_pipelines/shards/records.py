"""The files of a dataset: ArrayRecord, one a film, one record a frame; any of them by random access."""

import functools
from pathlib import Path
from typing import Any

from array_record.python import array_record_module

from data_pipelines.runtime.errors import UserError

SPLIT_NAME = "frames"

_READER_OPTIONS = "readahead_buffer_size:0"  # random access: what lies behind a record is not wanted
_OPEN_FILES = 128


def film_path(folder: Path, dataset_name: str, film: int, num_films: int) -> Path:
    """The file of film number `film` (from 0), named as tfds names the shards of a split."""
    return Path(folder) / f"{dataset_name}-{SPLIT_NAME}.array_record-{film:05d}-of-{num_films:05d}"


class FilmFiles:
    """Reads records of a dataset. It can be pickled; files are opened when first read."""

    def __init__(self, folder: Path, dataset_name: str, num_films: int):
        self._names = folder, dataset_name, num_films
        self._reader = functools.lru_cache(_OPEN_FILES)(self._open)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_reader"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._reader = functools.lru_cache(_OPEN_FILES)(self._open)

    def read(self, film: int, frame: int) -> bytes:
        """The record of frame number `frame` (from 1) of film number `film` (from 0).

        Raises UserError if the film's file is missing or damaged: records have checksums.
        """
        try:
            return self._reader(film).read([frame - 1])[0]
        except (RuntimeError, IndexError) as error:
            raise UserError(
                f"{self._path(film)}, frame {frame}: damaged ({error}). Prepare the shards again."
            ) from None

    def _open(self, film: int):
        path = self._path(film)
        if not path.is_file():
            raise UserError(f"{path}: the file is missing. Prepare the shards again.")
        return array_record_module.ArrayRecordReader(str(path), _READER_OPTIONS)

    def _path(self, film: int) -> Path:
        folder, dataset_name, num_films = self._names
        return film_path(folder, dataset_name, film, num_films)
