"""The formats of gaze files that are known by their content. Every other file is a table with named columns.

A format is a module with two functions:
  looks_like(path, head) -> bool      whether a file is of this format; `head`: its first 4096 bytes
  read(path, film) -> Recording       its gaze; `film`: the film that the file's place names, if the file names none
`read` raises UserError with the file's name if it cannot be read.
"""

from pathlib import Path
from typing import Protocol

from data_pipelines.ingestion.gaze_formats import database_arrays, dhf1k_records, savam_records
from data_pipelines.ingestion.gaze_formats.recording import Recording
from data_pipelines.runtime.errors import UserError, reason

HEAD_BYTES = 4096


class GazeFormat(Protocol):
    """See the module's docstring."""

    def looks_like(self, path: Path, head: bytes) -> bool: ...

    def read(self, path: Path, film: str) -> Recording: ...


FORMATS: tuple[GazeFormat, ...] = (database_arrays, dhf1k_records, savam_records)
SUFFIXES = (".mat",)  # in a folder, files with these suffixes are gaze too, beside those of tables


def format_of(path: Path) -> GazeFormat | None:
    """Returns the format of a file, or None for a table. Raises UserError if the file cannot be opened."""
    if not path.is_file():  # reading a pipe would wait for its writer
        return None
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({reason(error)}). Give tables of gaze, or folders of them.") from None
    return next((format for format in FORMATS if format.looks_like(path, head)), None)
