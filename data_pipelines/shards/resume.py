"""Preparation that can be interrupted at any moment: finished films wait beside the output until all are there.

For an output SHARDS, .SHARDS.unfinished/films holds a folder for each finished film, named by a digest of all that its
content follows from: the settings, the film, the state of its raw files. A later run takes what it finds under the
names it needs, and removes the rest. A film is written under another name first; the rename is what finishes it, and
the output too; `published` has its identity, since a run killed after that rename has nothing left to go on with.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from data_pipelines.runtime.atomic import hidden_folder_beside
from data_pipelines.runtime.errors import UserError
from data_pipelines.shards.writer import flush_to_disk

_log = logging.getLogger(__name__)


class Unfinished:
    """The folder of one output. It can be sent to other processes, and to other machines with the same disk."""

    def __init__(self, output: Path):
        self.output = output
        self.folder = hidden_folder_beside(output)
        self.parts = self.folder / "parts"  # for what is of use to one run only
        self._films = self.folder / "films"
        self._new, self._replaced = self.folder / "new", self.folder / "replaced"
        self._published = self.folder / "published"  # tells a run that was killed as the output took its name

    def film_folder(self, key: str) -> Path:
        """Where the film of this key is once it is finished."""
        return self._films / key

    def finished(self) -> set[str]:
        """The keys of all finished films."""
        return {path.name for path in self._films.iterdir()} if self._films.is_dir() else set()

    def finish(self, key: str, write: Callable[[Path], None]) -> None:
        """Has a film written into a new folder, which then takes its name. What `write` raises leaves no trace."""
        for folder in (self._films, self.parts):
            folder.mkdir(exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=self.parts))
        try:
            write(part)
            flush_to_disk(part)
            if not self.film_folder(key).exists():  # a cluster may run a film twice
                part.rename(self.film_folder(key))
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def keep_only(self, keys: Collection[str]) -> None:
        """Removes all but these finished films."""
        for key in self.finished() - set(keys):
            shutil.rmtree(self.film_folder(key))

    def publish(self, assemble: Callable[[Path], None]) -> None:
        """Has a new folder filled, which then becomes the output; an older output goes away."""
        self._new.mkdir()
        assemble(self._new)
        self._published.write_text(_identity(self._new))
        if self.output.exists():
            self.output.rename(self._replaced)
        self._new.rename(self.output)

    def tidy(self) -> None:
        """Undoes what an interrupted run had begun: a film half-written, an older output moved away. Of one that had
        published its output nothing is left.
        """
        if self._replaced.exists() and not self.output.exists():
            self._replaced.rename(self.output)
        is_published = (
            self._published.exists() and self.output.exists() and self._published.read_text() == _identity(self.output)
        )
        for folder in (self.parts, self._new, self._replaced, *([self._films] if is_published else [])):
            shutil.rmtree(folder, ignore_errors=True)
        self._published.unlink(missing_ok=True)


def _identity(folder: Path) -> str:
    """What a folder keeps when it is renamed."""
    status = folder.stat()
    return f"{status.st_dev} {status.st_ino}"


@contextlib.contextmanager
def opened(output: Path) -> Iterator[Unfinished]:
    """The folder of `output`, for one run at a time; it goes away at the end, or stays if an exception ends the run
    after some film is finished.

    Raises UserError if another run has it.
    """
    unfinished = Unfinished(output)
    with _locked(unfinished):
        unfinished.tidy()
        try:
            yield unfinished
        except BaseException:
            unfinished.tidy()
            finished = unfinished.finished()
            if finished:
                _log.warning("%d finished films wait in %s: run again to go on.", len(finished), unfinished.folder)
            else:
                shutil.rmtree(unfinished.folder, ignore_errors=True)
            raise
        shutil.rmtree(unfinished.folder, ignore_errors=True)


def film_key(*content: object) -> str:
    """A name that follows from what a film is made of; `content` is told apart by its repr."""
    return hashlib.sha256(repr(content).encode()).hexdigest()[:32]


@contextlib.contextmanager
def _locked(unfinished: Unfinished) -> Iterator[None]:
    path = unfinished.folder / "lock"
    while True:
        unfinished.folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = path.open("w")
        except FileNotFoundError:  # a run that ends has just removed the folder
            continue
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(
                    f"{unfinished.output}: is being made by another run. Wait for its end, or give another --output."
                ) from None
            except OSError as error:  # some network file systems have no locks
                _log.warning("%s: cannot be locked (%s). Do not start a second run for it.", path, error.strerror)
            if not path.exists() or not os.path.samestat(os.fstat(lock.fileno()), path.stat()):
                continue  # another run removed the file before it was locked: it is nobody's
            yield
            return
