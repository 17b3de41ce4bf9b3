"""Folders that one run at a time writes to, and results that take their name whole, whoever is killed when.

A lock goes away with its process, so none is ever stale.
"""

import contextlib
import ctypes
import fcntl
import hashlib
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from data_pipelines.runtime.errors import UserError

LONGEST_FILE_NAME = 255  # bytes, of most file systems

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def only_run_in(folder: Path) -> Iterator[None]:
    """Makes a folder, if it is not there, for this process alone; removes it again if it made it and it stays empty.

    Raises UserError if another process has it.
    """
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _locked(folder, folder):
            yield
    finally:
        if is_new:
            with contextlib.suppress(OSError):  # it holds something now
                folder.rmdir()


@contextlib.contextmanager
def folder_beside(target: Path) -> Iterator[Path]:
    """An empty folder on the disk of `target`, for what is to become it; gone at the end.

    What a killed run left there is removed first. Raises UserError if another process is making `target`.
    """
    target = Path(os.path.abspath(target))  # "." has no name
    folder = unfinished_beside(target)
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder, target):
        try:
            for left in folder.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def unfinished_beside(target: Path) -> Path:
    """The hidden folder for what is to become `target`: .NAME.unfinished, or for a long name a shortened one."""
    name = f".{target.name}.unfinished"
    if len(os.fsencode(name)) > LONGEST_FILE_NAME:
        digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
        name = f".{target.name[:40]}-{digest}.unfinished"
    return target.parent / name


def replace_folder(new: Path, target: Path) -> None:
    """`new` takes the name `target` and an older `target` the name `new`: at once where the system can do that, so that
    a kill never leaves `target` without a folder. Both are on one disk.
    """
    if not target.exists():
        new.rename(target)
    elif not _exchange(new, target):
        older = new.with_name(f"{new.name}.older")
        target.rename(older)
        new.rename(target)
        older.rename(new)


def _exchange(one: Path, other: Path) -> bool:
    """Swaps two names by Linux's renameat2, which Python lacks. False if the system or the disk has no such thing."""
    if not sys.platform.startswith("linux"):
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # a C library without it
        return False
    return rename(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0


@contextlib.contextmanager
def _locked(folder: Path, name: Path) -> Iterator[None]:
    """`name`: of what is locked, for messages."""
    busy = UserError(f"{name}: another run is writing to it. Wait for its end, or give another folder.")
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy from None
        except OSError as error:  # some network file systems have no locks
            _log.warning("%s: cannot be locked (%s). Do not start a second run for it.", folder, error.strerror)
        if not folder.exists() or not os.path.samestat(os.fstat(descriptor), folder.stat()):
            raise busy  # it has just ended, and removed the folder
        yield
    finally:
        os.close(descriptor)
