"""Results that appear whole or not at all, and locks that keep two runs out of one folder.

A file is written beside its target and renamed. A folder is filled in a hidden folder beside its target and swapped
with it in one step. A kill at any moment leaves the old result or the new one. Locks belong to a process and end with
it, so no lock is ever stale.
"""

import contextlib
import csv
import ctypes
import fcntl
import hashlib
import io
import logging
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from data_pipelines.runtime.errors import UserError

LONGEST_FILE_NAME = 255  # bytes, on most file systems

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Yields a path to write to. When the block succeeds, that file takes the name `path`; if not, it is removed."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)  # the disk may be full


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8, whole or not at all."""
    with replaced_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Writes a CSV file, whole or not at all."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    write_text(path, text.getvalue())


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Locks a folder for this process and creates it if it does not exist. Removes it if it is new and stays empty.

    Raises:
      UserError: another process holds the folder.
    """
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _locked(folder, folder):
            yield
    finally:
        if is_new:
            with contextlib.suppress(OSError):  # it is not empty
                folder.rmdir()


@contextlib.contextmanager
def temporary_folder_beside(target: Path) -> Iterator[Path]:
    """Yields an empty folder on the disk of `target`, to build its content in. The folder is removed at the end.

    Leftovers of a killed run are removed first.

    Raises:
      UserError: another process is writing `target`.
    """
    target = Path(os.path.abspath(target))  # "." has no name
    folder = hidden_folder_beside(target)
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder, target):
        try:
            for left in folder.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def hidden_folder_beside(target: Path) -> Path:
    """Returns the hidden folder in which `target` is built: .NAME.unfinished, shortened if the name is too long."""
    name = f".{target.name}.unfinished"
    if len(os.fsencode(name)) > LONGEST_FILE_NAME:
        digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
        name = f".{target.name[:40]}-{digest}.unfinished"
    return target.parent / name


def replace_folder(new: Path, target: Path) -> None:
    """Gives `new` the name `target`. An older `target` takes the name `new`.

    Both must be on one disk. The swap is one step where the system supports it, so that a kill never leaves `target`
    without a folder.
    """
    if not target.exists():
        new.rename(target)
    elif not _exchange(new, target):
        older = new.with_name(f"{new.name}.older")
        target.rename(older)
        new.rename(target)
        older.rename(new)


def _exchange(one: Path, other: Path) -> bool:
    """Swaps two names by Linux's renameat2, which Python lacks. Returns False where it is not available."""
    if not sys.platform.startswith("linux"):
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # a C library without it
        return False
    return rename(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0


@contextlib.contextmanager
def _locked(folder: Path, target: Path) -> Iterator[None]:
    """Locks `folder`; the error names `target`."""
    busy = UserError(f"{target}: another run is writing to it. Wait until it ends, or give another folder.")
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy from None
        except OSError as error:  # some network file systems have no locks
            _log.warning("%s: cannot be locked (%s). Do not start a second run for it.", folder, error.strerror)
        if not folder.exists() or not os.path.samestat(os.fstat(descriptor), folder.stat()):
            raise busy  # the other run has just ended and removed the folder
        yield
    finally:
        os.close(descriptor)
