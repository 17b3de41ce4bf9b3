"""Results that appear whole or not at all, and locks that keep two runs out of one folder.

A file is written beside its target and renamed. A folder is filled in a hidden folder beside its target and swapped
with it in one step. A kill at any moment leaves the old result or the new one. Locks belong to a process and end with
it, so no lock is ever stale.
"""

import contextlib
import csv
import ctypes
import errno
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

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_OLDER = "older"  # in the hidden folder: the result that is being replaced

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Yields a path to write to. When the block succeeds, the file is renamed to `path`; otherwise it is removed."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        with named_if_full(path):
            yield partial
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)  # the disk may be full


@contextlib.contextmanager
def named_if_full(path: Path) -> Iterator[None]:
    """Adds the file to the error of a write that finds the disk full. Python names it in errors of opening only."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL and error.filename is None:
            error.filename = str(path)
        raise


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
    """Locks a folder for this process and creates it if it does not exist. Removes what it created if it stays empty.

    Raises:
      UserError: another process holds the folder.
    """
    created = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        with _locked(folder, folder):
            yield
    finally:
        with contextlib.suppress(OSError):  # it is not empty
            for place in created:
                place.rmdir()


@contextlib.contextmanager
def lasting_folder_beside(target: Path) -> Iterator[Path]:
    """Yields the locked hidden folder in which `target` is built, with what earlier runs left in it.

    Puts an older `target` back if a kill interrupted `replace_folder`.

    Raises:
      UserError: another process is writing `target`.
    """
    folder = hidden_folder_beside(target)
    with _locked(folder, target):
        _put_back_older(target)
        yield folder


@contextlib.contextmanager
def temporary_folder_beside(target: Path) -> Iterator[Path]:
    """Yields an empty folder on the disk of `target`, to build its content in. The folder is removed at the end.

    Leftovers of a killed run are removed first.

    Raises:
      UserError: another process is writing `target`.
    """
    with lasting_folder_beside(target) as folder:
        try:
            for left in folder.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def hidden_folder_beside(target: Path) -> Path:
    """Returns the hidden folder in which `target` is built: .NAME.unfinished, shortened if the name is too long."""
    target = Path(os.path.abspath(target))  # "." has no name
    name = f".{target.name}.unfinished"
    if len(os.fsencode(name)) > LONGEST_FILE_NAME:
        digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
        name = f".{target.name[:40]}-{digest}.unfinished"
    return target.parent / name


def replace_folder(new: Path, target: Path) -> None:
    """Gives `new` the name `target`. An older `target` moves to the hidden folder beside it.

    Call it within `lasting_folder_beside` or `temporary_folder_beside`. The swap is one step where the system supports
    it; elsewhere, the next run repairs a swap that a kill interrupted.
    """
    if not target.exists():
        new.rename(target)
    elif not _exchange(new, target):
        try:
            target.rename(hidden_folder_beside(target) / _OLDER)
            new.rename(target)
        finally:
            _put_back_older(target)


def _put_back_older(target: Path) -> None:
    """Restores the older `target` if the new one has not taken its name, and removes it otherwise."""
    older = hidden_folder_beside(target) / _OLDER
    if not older.exists():
        return
    if target.exists():
        shutil.rmtree(older, ignore_errors=True)
    else:
        older.rename(target)


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
    """Creates and locks `folder`; the error names `target`."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # a run that ends has just removed it
            continue
        try:
            _lock(descriptor, folder, target)
            # A run that ended before the lock was taken may have removed the folder: then this is a lock on nothing.
            if folder.exists() and os.path.samestat(os.fstat(descriptor), folder.stat()):
                yield
                return
        finally:
            os.close(descriptor)


def _lock(descriptor: int, folder: Path, target: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(
            f"{target}: another run is writing to it. Wait until it ends, or give another folder."
        ) from None
    except OSError as error:  # some network file systems have no locks
        _log.warning("%s: cannot be locked (%s). Do not start a second run for it.", folder, error.strerror)
