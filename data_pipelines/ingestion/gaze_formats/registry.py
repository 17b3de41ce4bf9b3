"""The formats of gaze files that are known by their content. Every other file is a table with named columns.

A format is a module with two functions, or three:
  looks_like(path, head) -> bool      whether a file is of this format; `head`: its first HEAD_BYTES
  read(path, film) -> Recording       its gaze; `film`: the film that the file's place names, if the file names none
  better_file(path) -> Path | None    the file that has the same gaze in a better form, such as fixations
`read` raises UserError with the file's name if it cannot be read.
"""

from collections.abc import Set
from pathlib import Path
from typing import Protocol

from data_pipelines.ingestion.gaze_formats import (
    bids_eyetracking,
    crowd_json,
    database_arrays,
    dhf1k_records,
    diem_events,
    eyelink_asc,
    foreign_files,
    gazepoint_export,
    jspsych_webgazer,
    picture_databases,
    psychopy_iohub,
    pupil_surfaces,
    savam_records,
    side_files,
    smi_events,
    smi_text,
    tobii_export,
)
from data_pipelines.ingestion.gaze_formats.recording import Recording
from data_pipelines.runtime.errors import UserError, reason

HEAD_BYTES = 1 << 16  # a header may have thousands of columns


class GazeFormat(Protocol):
    """See the module's docstring."""

    def looks_like(self, path: Path, head: bytes) -> bool: ...

    def read(self, path: Path, film: str) -> Recording: ...


FORMATS: tuple[GazeFormat, ...] = (
    database_arrays,
    picture_databases,
    dhf1k_records,
    savam_records,
    diem_events,
    crowd_json,
    eyelink_asc,
    bids_eyetracking,
)
TABLES: tuple[GazeFormat, ...] = (  # with named columns; a user who names columns reads them as any table
    tobii_export,
    pupil_surfaces,
    gazepoint_export,
    smi_events,
    smi_text,
    jspsych_webgazer,
    psychopy_iohub,
    side_files,
)
LAST: tuple[GazeFormat, ...] = (foreign_files,)
SUFFIXES = (".mat", ".asc", ".tsv.gz")  # in a folder, files with these suffixes are gaze too, beside those of tables


def format_of(path: Path, has_columns: bool = False) -> GazeFormat | None:
    """Returns the format of a file, or None for a table. Raises UserError if the file cannot be opened.

    Args:
      path: the file.
      has_columns: whether the user names the columns of tables.
    """
    if not path.is_file():  # reading a pipe would wait for its writer
        return None
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({reason(error)}). Give tables of gaze, or folders of them.") from None
    formats = FORMATS + (() if has_columns else TABLES) + LAST
    return next((format for format in formats if format.looks_like(path, head)), None)


def is_gaze_in_json(path: Path) -> bool:
    """Returns whether a .json file in a folder is gaze. Most are settings, which lie beside gaze in other formats."""
    return path.suffix.lower() == ".json" and format_of(path) is crowd_json


def is_recording(format: GazeFormat | None) -> bool:
    """Returns whether a file of a format holds gaze. None is a table."""
    return format not in (None, side_files, foreign_files)


def has_better_file(format: GazeFormat, path: Path, given: Set[Path]) -> bool:
    """Returns whether one of the files given has the same gaze as `path` in a better form."""
    better_file = getattr(format, "better_file", None)
    better = better_file(path) if better_file else None
    return better is not None and better != path and better in given and format_of(better) is format
