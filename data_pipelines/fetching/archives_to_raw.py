"""Fetches the authors' archives and unpacks them into the raw layout. The command is data_pipelines/fetch.py.

RAW/fetched.json records each archive: where it came from, its size, its SHA-256 and what it unpacked to.
"""

import contextlib
import hashlib
import json
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import rich.console
from rich.progress import DownloadColumn, Progress

from data_pipelines.fetching.archives import Archive, chosen_archives
from data_pipelines.fetching.download import PLAIN, CannotFetchError, download, free_bytes
from data_pipelines.fetching.unpack import UnusableArchiveError, inspect, move_into_place, unpack
from data_pipelines.runtime import atomic, json_files
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.folders import is_free

BASE_URL = "http://cvsp.cs.ntua.gr/research/stavis/data"
RECORD_NAME = "fetched.json"
# Name of an archive -> its SHA-256. The authors publish none; add the ones in your RAW/fetched.json.
KNOWN_SHA256: dict[str, str] = {}


def fetch(
    output: Path | str,
    *,
    databases: Sequence[str] | None = None,
    what: Sequence[str] | None = None,
    base_url: str = BASE_URL,
    archives: Path | str | None = None,
) -> list[str]:
    """Downloads the archives, unpacks them into the raw layout and returns the names of the new ones.

    The content of an archive appears when all of it is unpacked. An interrupted download continues in the next run.

    Args:
      output: raw data folder.
      databases: folders or names of the six databases; all by default.
      what: keys of `archives.KINDS`; all by default.
      base_url: address of the authors' server or of a mirror.
      archives: folder of archives on disk, laid out as on the server, to unpack instead. They are not changed.

    Raises:
      UserError: an archive is missing, damaged or not safe to unpack, or a folder is in the way. Earlier archives are
        complete.
    """
    output = Path(output)
    chosen = chosen_archives(databases, what)
    if not hasattr(tarfile, "data_filter"):
        raise UserError("fetch: this Python cannot unpack archives safely. Use Python 3.11.4 or newer.")
    if not base_url.startswith(("http://", "https://")):
        raise UserError(f"--base-url: {base_url!r} is not an address. Give one that starts with http:// or https://.")
    record = _read_record(output)
    missing = [archive for archive in chosen if not _is_complete(output, archive, record)]
    try:
        for archive in missing:
            _refuse_to_mix(output, archive, record)
            if archives is not None and not (path := Path(archives, f"{archive.name}.tar.gz")).is_file():
                raise UserError(f"{path}: the archive is missing. Put it there, or narrow --what and --databases.")
        with _progress_bars() as progress, atomic.locked_folder(output), _tidied(_work_folder(output)):
            for archive in missing:
                with _file_of(archive, output, base_url, archives, progress) as (file, source):
                    _install(archive, file, source, output, progress)
                progress.console.print(f"{output / archive.name}: done.", **PLAIN)
    except OSError as error:
        path, fault = error.filename or output, error.strerror or error
        raise UserError(f"{path}: {fault}. Correct that and run the command again.") from None
    return [archive.name for archive in missing]


@contextlib.contextmanager
def _file_of(
    archive: Archive, output: Path, base_url: str, archives: Path | str | None, progress: Progress
) -> Iterator[tuple[Path, str]]:
    """Yields the archive's file and where it came from. Removes a downloaded file that is unpacked or unusable."""
    name = f"{archive.name}.tar.gz"
    if archives is not None:
        yield Path(archives, name), str(Path(archives, name))
        return
    url, file = f"{base_url.rstrip('/')}/{name}", _work_folder(output) / name
    try:
        download(url, file, progress)
        yield file, url
        file.unlink()
    except UnusableArchiveError as error:
        file.unlink()
        fault, advice = f"{url}: {error}".rstrip("."), "If that does not help, try --base-url or --archives."
        raise CannotFetchError(fault, advice) from None


def _install(archive: Archive, file: Path, source: str, output: Path, progress: Progress) -> None:
    """Checks an archive, unpacks it into the work folder and moves the result into place."""
    with open(file, "rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    known = KNOWN_SHA256.get(archive.name, sha256)
    if sha256 != known:
        raise UnusableArchiveError(f"{file}: its SHA-256 is {sha256}, not {known}. Fetch it again.")
    contents = inspect(file, archive.kind.content, free_bytes(output), progress)
    record, target = _read_record(output), output / archive.name
    for name in set(contents.entries).difference(_entries(archive, record)):
        if (target / name).exists():
            fault = "exists, and the archive holds one too"
            raise UserError(f"{target / name}: {fault}. Move it, or give another --output.")
    new = _work_folder(output) / f"{archive.name}.unpacked"
    shutil.rmtree(new, ignore_errors=True)  # of a run that was killed
    try:
        unpack(file, contents, new, progress)
        # The record comes first: it counts only when all the entries exist.
        size = file.stat().st_size
        record[archive.name] = {"archive": source, "size": size, "sha256": sha256, "entries": contents.entries}
        atomic.write_text(output / RECORD_NAME, json.dumps(record, indent=2) + "\n")
        move_into_place(new, target)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _read_record(output: Path) -> dict[str, dict]:
    path, advice = output / RECORD_NAME, "Remove it and the folders it lists."
    if not path.is_file():
        return {}
    record = json_files.read_object(path, advice)
    for name, content in record.items():
        entries = content.get("entries", []) if isinstance(content, dict) else None
        if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
            raise UserError(f"{path}: damaged ({name} has no list of entries). {advice}")
    return record


def _entries(archive: Archive, record: dict[str, dict]) -> list[str]:
    """Returns what an earlier run unpacked from an archive."""
    return record.get(archive.name, {}).get("entries", [])


def _is_complete(output: Path, archive: Archive, record: dict[str, dict]) -> bool:
    entries = _entries(archive, record)
    return bool(entries) and all((output / archive.name / name).exists() for name in entries)


def _refuse_to_mix(output: Path, archive: Archive, record: dict[str, dict]) -> None:
    """Raises UserError for a database's folder that was not fetched. Lists and weights may be mixed."""
    target = output / archive.name
    if archive.kind.one_per_database and archive.name not in record and not is_free(target):
        fault = "exists already and was not fetched" if target.is_dir() else "Not a directory"
        raise UserError(f"{target}: {fault}. Move it, or leave it out with --databases.")


def _work_folder(output: Path) -> Path:
    """Returns the folder of unfinished files. It is in `output`, so that results move into place by a rename."""
    return output / ".fetching"


@contextlib.contextmanager
def _tidied(folder: Path) -> Iterator[None]:
    """Removes the folder at the end, unless it holds an interrupted download."""
    try:
        yield
    finally:
        for left in (*folder.glob("*"), folder):
            with contextlib.suppress(OSError):
                left.rmdir()


def _progress_bars() -> Progress:
    console = rich.console.Console(stderr=True)
    columns = (*Progress.get_default_columns(), DownloadColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)
