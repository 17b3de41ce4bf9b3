"""Keeps the films of an interrupted preparation, so that the next run continues from them.

For an output SHARDS, .SHARDS.unfinished/films holds a folder for each finished film. Its name is a digest of everything
that determines its content: the settings, the film and the state of its raw files. The next run uses the films that it
needs and removes the others. A film is written under another name and renamed when it is whole.
"""

import contextlib
import hashlib
import logging
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from data_pipelines.runtime.atomic import hidden_folder_beside, lasting_folder_beside, replace_folder
from data_pipelines.shards.writer import flush_to_disk

_log = logging.getLogger(__name__)


class Unfinished:
    """The hidden folder of one output. Can be sent to other processes, and to other machines that share the disk."""

    def __init__(self, output: Path):
        self.output = output
        self.folder = hidden_folder_beside(output)
        self.parts = self.folder / "parts"  # files of one run only
        self._films = self.folder / "films"

    def film_folder(self, key: str) -> Path:
        """Returns the folder that the film with this key has once it is finished."""
        return self._films / key

    def finished(self) -> set[str]:
        """Returns the keys of all finished films."""
        return {path.name for path in self._films.iterdir()} if self._films.is_dir() else set()

    def finish(self, key: str, write: Callable[[Path], None]) -> None:
        """Calls `write` with a new folder, which then gets the film's name. Leaves nothing if `write` raises."""
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
        """Removes all other finished films."""
        for key in self.finished() - set(keys):
            shutil.rmtree(self.film_folder(key))

    def publish(self, assemble: Callable[[Path], None]) -> None:
        """Calls `assemble` with a new folder, which then replaces the output."""
        new = self.folder / "new"
        new.mkdir()
        assemble(new)
        replace_folder(new, self.output)

    def remove_leftovers(self) -> None:
        """Removes files that only the interrupted run could use, and films that the output already has."""
        for folder in (self.folder / "new", self.parts):
            shutil.rmtree(folder, ignore_errors=True)
        self.keep_only([key for key in self.finished() if not _is_published(self.film_folder(key))])


def _is_published(film: Path) -> bool:
    """Returns whether an output has the film's records: as hard links, or moved there if the disk has no links."""
    records = list(film.glob("*.array_record"))
    return not records or any(path.stat().st_nlink > 1 for path in records)


@contextlib.contextmanager
def opened(output: Path) -> Iterator[Unfinished]:
    """Yields the unfinished folder of `output`, for one run at a time.

    Removes the folder at the end, unless an exception ends the run after some film is finished.

    Raises:
      UserError: another run is writing `output`.
    """
    unfinished = Unfinished(output)
    with lasting_folder_beside(output):
        unfinished.remove_leftovers()
        try:
            yield unfinished
        except BaseException:
            unfinished.remove_leftovers()
            if finished := unfinished.finished():
                _log.warning("%d finished films wait in %s: run again to continue.", len(finished), unfinished.folder)
            else:
                shutil.rmtree(unfinished.folder, ignore_errors=True)
            raise
        shutil.rmtree(unfinished.folder, ignore_errors=True)


def film_key(*content: object) -> str:
    """Returns the name of a finished film: a digest of the `repr` of everything that determines its content."""
    return hashlib.sha256(repr(content).encode()).hexdigest()[:32]
