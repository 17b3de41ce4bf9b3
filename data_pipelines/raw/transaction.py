"""Adds a database to a raw data folder, whole or not at all. The other databases do not change.

A database has several folders, so one swap cannot replace it. It is written to a hidden folder of the raw data folder,
and its parts are moved into place at the end. A database counts as present if it has a folder in video_frames. There,
the folder of an older database moves away first, and the folder of the new database moves into place last.
"""

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime.atomic import locked_folder
from data_pipelines.runtime.errors import UserError

_MARK = ".ingest-"
_NAME = re.compile(r"\w[\w.-]*")


def check_database_name(database: str) -> None:
    """Raises UserError unless `database` can be the name of a database."""
    if not _NAME.fullmatch(database) or "_list_" in database or _MARK in database:
        raise UserError(
            f"--database {database!r}: cannot name a folder and its lists. "
            "Use letters, digits, '_', '-' and '.', without '_list_'."
        )


@contextlib.contextmanager
def new_database(raw: Path, database: str, overwrite: bool) -> Iterator[RawLayout]:
    """Yields the layout to write a new database to. When the block succeeds, the database is moved to `raw`.

    First undoes what killed runs left unfinished.

    Raises:
      UserError: the database exists and `overwrite` is false, or another process is writing to `raw`.
    """
    check_database_name(database)
    if raw.exists() and not raw.is_dir():
        raise UserError(f"{raw}: is not a folder. Give another --output.")
    with locked_folder(raw):
        for leftover in raw.glob(f".*{_MARK}*"):
            _put_back(raw, leftover)
        there = _pieces(raw, database)
        if there and not overwrite:
            raise UserError(f"{there[-1]}: exists already. Give another --database, or --overwrite to replace it.")
        aside = Path(tempfile.mkdtemp(prefix=f".{database}{_MARK}", dir=raw))
        try:
            for part in ("video_frames", "fold_lists"):
                (aside / "new" / part).mkdir(parents=True)
            yield RawLayout(aside / "new")
            _put_in_place(raw, aside, database)
        finally:
            _put_back(raw, aside)


def _pieces(root: Path, database: str) -> list[Path]:
    """Returns the existing lists and folders of a database, its frames last."""
    lists = root / "fold_lists"
    pieces = [path for path in lists.glob("*") if path.name.startswith(f"{database}_list_")] if lists.is_dir() else []
    folders = [root / part / database for part in ("annotations", "video_audio", "video_frames")]
    return sorted(pieces) + [folder for folder in folders if folder.exists()]


def _put_in_place(raw: Path, aside: Path, database: str) -> None:
    for piece in reversed(_pieces(raw, database)):
        _move(piece, raw, aside / "old")
    (aside / "placing").touch()
    for piece in _pieces(aside / "new", database):
        _move(piece, aside / "new", raw)


def _put_back(raw: Path, aside: Path) -> None:
    """Ends a run. Unless the new database is complete, moves the old one back. Removes the hidden folder."""
    database = aside.name[1:].rpartition(_MARK)[0]
    if not (raw / "video_frames" / database).exists():
        if (aside / "placing").exists():
            for piece in _pieces(raw, database):
                _move(piece, raw, aside / "new")
            (aside / "placing").unlink()
        for piece in _pieces(aside / "old", database):
            _move(piece, aside / "old", raw)
    shutil.rmtree(aside, ignore_errors=True)


def _move(piece: Path, root: Path, other_root: Path) -> None:
    target = other_root / piece.relative_to(root)
    target.parent.mkdir(parents=True, exist_ok=True)
    piece.rename(target)
