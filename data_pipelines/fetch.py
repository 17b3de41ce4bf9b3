"""Command: the authors' archives -> raw data. What is there already is not fetched again.

python -m data_pipelines.fetch --output RAW

    archive                       unpacks to                                          --what
    fold_lists.tar.gz             fold_lists/*_fps.txt                                fold_lists
    annotations/<DB>.tar.gz       annotations/<DB>/<video>/fixMap_00001.mat, maps/    annotations
    video_audio/<DB>.tar.gz       video_audio/<DB>/<video>/<video>.wav                audio
    video_frames/<DB>.tar.gz      video_frames/<DB>/<video>/img_00001.jpg             video_frames
    pretrained_models.tar.gz      pretrained_models/, the weights as .pth             pretrained

Folders above the videos in an archive do not matter: see `unpack`. RAW/fetched.json records each archive.
"""

import argparse
import contextlib
import dataclasses
import hashlib
import json
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import rich.console
import rich.progress

from data_pipelines.fetching.download import PLAIN, download, free_bytes
from data_pipelines.fetching.unpack import NoRoomError, inspect, move_into_place, unpack
from data_pipelines.raw.databases import DATABASES
from data_pipelines.runtime import atomic, json_files
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError

BASE_URL = "http://cvsp.cs.ntua.gr/research/stavis/data"
RECORD_NAME = "fetched.json"
# Part -> SHA-256 of its archive. The authors publish none; add what your RAW/fetched.json says.
KNOWN_SHA256: dict[str, str] = {}


@dataclasses.dataclass(frozen=True)
class _Kind:
    """Archives of one kind: where they lie and unpack to, and a pattern of their content, from that folder on."""

    folder: str
    content: str
    one_per_database: bool = True


KINDS: dict[str, _Kind] = {  # the small ones first
    "fold_lists": _Kind("fold_lists", r"[^/]+_fps\.txt", one_per_database=False),
    "annotations": _Kind("annotations", r"[^/]+/(maps/eyeMap_\d+\.jpg|fixMap_\d+\.mat)"),
    "audio": _Kind("video_audio", r"[^/]+/[^/]+\.wav"),
    "video_frames": _Kind("video_frames", r"[^/]+/img_\d+\.jpg"),
    "pretrained": _Kind("pretrained_models", r"(stavis_(visual_only|audiovisual)/)?[^/]+\.pth", one_per_database=False),
}


@dataclasses.dataclass(frozen=True)
class _Part:
    """One archive. `name`: its path under the base without `.tar.gz`, and its folder in the raw layout."""

    name: str
    kind: _Kind


def fetch(
    output: Path | str,
    *,
    databases: Sequence[str] | None = None,
    what: Sequence[str] | None = None,
    base_url: str = BASE_URL,
    archives: Path | str | None = None,
) -> list[str]:
    """Downloads and unpacks the archives into the raw layout, and returns the parts that are new.

    `databases`: folders or names of the six; all by default. `what`: of `KINDS`; all by default. `archives`: folder of
    archives on disk, laid out as under the base, to unpack instead of downloading; they stay as they are.
    A part appears when all of it is unpacked. A download that was cut continues when the command runs again.
    Raises UserError, with all earlier parts complete: for archives that are missing, damaged or not safe to unpack, and
    for folders in the way.
    """
    output = Path(output)
    parts = _parts(databases, what)
    if not hasattr(tarfile, "data_filter"):
        raise UserError("fetch: this Python cannot unpack archives safely. Use Python 3.11.4 or newer.")
    if not base_url.startswith(("http://", "https://")):
        raise UserError(f"--base-url: {base_url!r} is not an address. Give one that starts with http:// or https://.")
    record = _read_record(output)
    parts = [part for part in parts if not _is_complete(output, part, record)]
    try:
        for part in parts:
            _refuse_to_mix(output, part, record)
            if archives is not None and not (path := Path(archives, f"{part.name}.tar.gz")).is_file():
                raise UserError(f"{path}: the archive is missing. Put it there, or narrow --what and --databases.")
        with _progress_bars() as progress, atomic.locked_folder(output), _tidied(_work_folder(output)):
            for part in parts:
                with _archive(output, part, base_url, archives, progress) as (archive, source):
                    _install(output, part, archive, source, progress)
                progress.console.print(f"{output / part.name}: done.", **PLAIN)
    except OSError as error:
        path, fault = error.filename or output, error.strerror or error
        raise UserError(f"{path}: {fault}. Mend that and run the command again.") from None
    return [part.name for part in parts]


@contextlib.contextmanager
def _tidied(folder: Path) -> Iterator[None]:
    """Removes the folder at the end, unless a download that was cut is in it."""
    try:
        yield
    finally:
        for left in (*folder.glob("*"), folder):
            with contextlib.suppress(OSError):
                left.rmdir()


def _parts(databases: Sequence[str] | None, what: Sequence[str] | None) -> list[_Part]:
    folders = {alias: folder for folder, database in DATABASES.items() for alias in (folder, database.name)}
    for flag, given, known in (("--databases", databases, folders), ("--what", what, KINDS)):
        for name in given or ():
            if name not in known:
                choices = DATABASES if known is folders else known
                raise UserError(f"{flag}: {name!r} is not known. Choose from {', '.join(choices)}.")
    chosen = {folders[name] for name in databases or DATABASES}
    parts = []
    for kind in (kind for name, kind in KINDS.items() if name in (what or KINDS)):
        per_database = [f"{kind.folder}/{folder}" for folder in DATABASES if folder in chosen]
        parts += [_Part(name, kind) for name in (per_database if kind.one_per_database else [kind.folder])]
    return parts


@contextlib.contextmanager
def _archive(
    output: Path, part: _Part, base_url: str, archives: Path | str | None, progress: rich.progress.Progress
) -> Iterator[tuple[Path, str]]:
    """The archive on disk and where it is from. A downloaded one is removed when used, or found to be of no use."""
    if archives is not None:
        path = Path(archives, f"{part.name}.tar.gz")
        yield path, str(path)
        return
    url = f"{base_url.rstrip('/')}/{part.name}.tar.gz"
    path = _work_folder(output) / f"{part.name}.tar.gz"
    try:
        download(url, path, progress)
        yield path, url
        path.unlink()
    except _UnusableError as error:
        path.unlink()
        raise UserError(f"{url}: {error} If that does not help, try --base-url or --archives.") from None


class _UnusableError(UserError):
    """The archive itself is at fault."""


def _install(output: Path, part: _Part, archive: Path, source: str, progress: rich.progress.Progress) -> None:
    with open(archive, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    known = KNOWN_SHA256.get(part.name, sha256)
    if sha256 != known:
        raise _UnusableError(f"{archive}: its SHA-256 is {sha256}, not {known}. Fetch it again.")
    try:
        contents = inspect(archive, part.kind.content, free_bytes(output), progress)
    except NoRoomError:
        raise
    except UserError as error:
        raise _UnusableError(str(error)) from None
    record, target = _read_record(output), output / part.name
    ours = record.get(part.name, {}).get("entries", [])
    for name in contents.entries:
        if name not in ours and (target / name).exists():
            raise UserError(f"{target / name}: is in the way of the archive's. Move it, or give another --output.")
    new = _work_folder(output) / f"{part.name}.unpacked"
    shutil.rmtree(new, ignore_errors=True)  # of a run that was killed
    try:
        unpack(archive, contents, new, progress)
        # The record first: it counts only once all the entries are there.
        size = archive.stat().st_size
        record[part.name] = {"archive": source, "size": size, "sha256": sha256, "entries": contents.entries}
        _write_record(output, record)
        move_into_place(new, target)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _is_complete(output: Path, part: _Part, record: dict[str, dict]) -> bool:
    entries = record.get(part.name, {}).get("entries", [])
    return bool(entries) and all((output / part.name / name).exists() for name in entries)


def _refuse_to_mix(output: Path, part: _Part, record: dict[str, dict]) -> None:
    """A database's folder that is not of our making stays alone; lists and weights may have others beside them."""
    target = output / part.name
    if part.kind.one_per_database and part.name not in record and target.exists() and any(target.iterdir()):
        raise UserError(f"{target}: exists already and was not fetched. Move it, or leave it out with --databases.")


def _read_record(output: Path) -> dict[str, dict]:
    path, advice = output / RECORD_NAME, "Remove it and the folders it lists."
    if not path.is_file():
        return {}
    record = json_files.read_object(path, advice)
    for name, part in record.items():
        entries = part.get("entries", []) if isinstance(part, dict) else None
        if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
            raise UserError(f"{path}: damaged ({name} has no list of entries). {advice}")
    return record


def _write_record(output: Path, record: dict[str, dict]) -> None:
    atomic.write_text(output / RECORD_NAME, json.dumps(record, indent=2) + "\n")


def _work_folder(output: Path) -> Path:
    """In the output, so that what is ready moves there by a rename."""
    return output / ".fetching"


def _progress_bars() -> rich.progress.Progress:
    columns = (*rich.progress.Progress.get_default_columns(), rich.progress.DownloadColumn())
    console = rich.console.Console(stderr=True)
    return rich.progress.Progress(*columns, console=console, disable=not console.is_terminal)


def _names(texts: Sequence[str] | None) -> list[str] | None:
    """Of a flag's values, with commas or spaces between them."""
    return texts and [name for text in texts for name in text.strip(",").split(",")]


@command
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m data_pipelines.fetch",
        description="Downloads the authors' archives and unpacks them into the raw layout. Run it again to go on.",
        epilog="example: python -m data_pipelines.fetch --output raw --databases DIEM,AVAD --what fold_lists,audio",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="RAW", help="folder of the raw layout")
    parser.add_argument("--databases", nargs="+", metavar="DB", help=f"of {', '.join(DATABASES)} (default: all)")
    parser.add_argument("--what", nargs="+", metavar="KIND", help=f"of {', '.join(KINDS)} (default: all)")
    parser.add_argument(
        "--base-url", default=BASE_URL, metavar="URL", help="address of a mirror (default: %(default)s)"
    )
    parser.add_argument(
        "--archives", type=Path, metavar="DIR", help="archives on disk, as DIR/video_frames/DIEM.tar.gz, not downloaded"
    )
    flags = parser.parse_args(argv)
    new = fetch(
        flags.output,
        databases=_names(flags.databases),
        what=_names(flags.what),
        base_url=flags.base_url,
        archives=flags.archives,
    )
    print(
        f"{flags.output}: {len(new)} unpacked ({', '.join(new)})." if new else f"{flags.output}: all was there already."
    )


if __name__ == "__main__":
    main()
