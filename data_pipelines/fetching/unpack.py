"""Unpacks a .tar.gz archive safely: reads it to its end, then unpacks the folder that holds the content.

The content shows where this folder begins; the names of the folders above do not matter. With the content
`<video>/img_00001.jpg`, all of `clip/img_00001.jpg`, `DIEM/clip/img_00001.jpg` and
`./video_frames/DIEM/clip/img_00001.jpg` unpack to `clip/img_00001.jpg`. Hidden files and files outside of that folder
are not unpacked.
"""

import contextlib
import dataclasses
import gzip
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from rich.progress import Progress

from data_pipelines.runtime.errors import UserError

_DAMAGE = (gzip.BadGzipFile, EOFError, zlib.error, tarfile.TarError, ValueError)
_BLOCK_BYTES = 512  # tar's unit


class UnusableArchiveError(UserError):
    """The archive itself is damaged or the wrong one. Another copy may be good."""


@dataclasses.dataclass(frozen=True)
class Contents:
    """What an archive unpacks to: the entries of the folder `top` in the archive."""

    top: PurePosixPath
    entries: tuple[str, ...]


def inspect(archive: Path, content: str, room: int, progress: Progress) -> Contents:
    """Reads the whole archive and returns what it unpacks to.

    Args:
      archive: file to read.
      content: regular expression of the paths to look for, from the folder to unpack on.
      room: bytes that the archive may unpack to.
      progress: shows a bar.

    Raises:
      UnusableArchiveError: the archive is damaged or truncated, holds no such content or holds it in several places, or
        has links, devices or paths that lead out of it.
      UserError: the archive unpacks to more than `room`. Raised as soon as this is known, because a small file may
        unpack to any size.
    """
    with _opened(archive, "check", progress) as (stream, tar):
        paths: list[PurePosixPath] = []
        num_bytes = 0
        for member in tar:
            path = _safe_path(archive, member)
            if member.size < 0:
                raise tarfile.ReadError("a file in it has a negative size")
            num_bytes += member.size  # of a sparse file, the size that it grows to; `offset_data` is what was packed
            _check_room(archive, max(num_bytes, member.offset_data), room)
            if member.isreg() and not _is_hidden(path):
                paths.append(path)
        # tarfile takes a broken header for the end of the archive. The real end is a block of zeros followed only by
        # zeros.
        if stream.tell() < tar.offset + _BLOCK_BYTES:
            raise tarfile.ReadError("it has no end")
        while rest := stream.read(1 << 20):  # to the end of the file, where gzip's checksum is
            _check_room(archive, stream.tell(), room)
            if rest.strip(b"\0"):
                raise tarfile.ReadError("a header in it is broken")
    top = _top(archive, paths, content)
    return Contents(top, tuple(sorted({path.relative_to(top).parts[0] for path in paths if path.is_relative_to(top)})))


def unpack(archive: Path, contents: Contents, folder: Path, progress: Progress) -> None:
    """Unpacks what `inspect` found into the new folder `folder`. An error may leave a part of it."""

    def below_top(member: tarfile.TarInfo, destination: str) -> tarfile.TarInfo | None:
        path = _safe_path(archive, member)
        if _is_hidden(path) or path == contents.top or not path.is_relative_to(contents.top):
            return None
        name = str(path.relative_to(contents.top))
        return tarfile.data_filter(member.replace(name=name, deep=False), destination)

    folder.mkdir(parents=True)
    with _opened(archive, "unpack", progress) as (_, tar):
        tar.extractall(folder, filter=below_top)


def move_into_place(new: Path, target: Path) -> None:
    """Moves the folder `new` to `target`. If `target` exists, moves only the entries that it lacks."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        new.rename(target)
        return
    for entry in sorted(new.iterdir()):
        if not (target / entry.name).exists():
            entry.rename(target / entry.name)


@contextlib.contextmanager
def _opened(archive: Path, verb: str, progress: Progress) -> Iterator[tuple[gzip.GzipFile, tarfile.TarFile]]:
    task = progress.add_task(f"{verb} {archive.name}", total=archive.stat().st_size)
    try:
        with (
            open(archive, "rb") as file,
            gzip.open(progress.wrap_file(file, task_id=task)) as stream,
            tarfile.open(fileobj=stream, mode="r:") as tar,
        ):
            yield stream, tar
    except _DAMAGE as error:
        fault = f"{archive}: the archive is damaged or cut short ({error}). Fetch it again."
        raise UnusableArchiveError(fault) from None
    finally:
        progress.remove_task(task)


def _check_room(archive: Path, num_bytes: int, room: int) -> None:
    if num_bytes > room:
        raise UserError(
            f"{archive}: unpacks to {num_bytes / 1e9:.1f} GB or more, and {room / 1e9:.1f} GB are free. "
            "Free some space, or use another disk."
        )


def _safe_path(archive: Path, member: tarfile.TarInfo) -> PurePosixPath:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        fault = "a path that leads out of it"
    elif not (member.isreg() or member.isdir()):
        fault = "a link or a device"
    else:
        return path
    raise UnusableArchiveError(
        f"{archive}: not safe to unpack: {member.name!r} is {fault}. Get the archive from a better source."
    )


def _is_hidden(path: PurePosixPath) -> bool:
    """Returns whether a file is hidden. macOS adds .DS_Store and others to archives."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _top(archive: Path, paths: Iterable[PurePosixPath], content: str) -> PurePosixPath:
    """Returns the folder that the content is in. Deeper folders below it may hold content too."""
    matches = (re.fullmatch(f"(.*?/)??{content}", str(path)) for path in paths)
    tops = sorted({PurePosixPath(match[1] or "") for match in matches if match}, key=lambda top: len(top.parts))
    if not tops:
        raise UnusableArchiveError(
            f"{archive}: no file in it matches {content}. Is it another archive? Fetch it again."
        )
    for other in tops:
        if not other.is_relative_to(tops[0]):
            raise UnusableArchiveError(
                f"{archive}: holds its content in several folders, {tops[0]} and {other}. Unpack it by hand."
            )
    return tops[0]
