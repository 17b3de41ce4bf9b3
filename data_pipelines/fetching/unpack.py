"""A .tar.gz archive, read to its end first and unpacked then, without what stands above its content.

The content says where its folder begins, not the names of the folders above: with the content `<video>/img_00001.jpg`,
`clip/img_00001.jpg`, `DIEM/clip/img_00001.jpg` and `./video_frames/DIEM/clip/img_00001.jpg` all unpack to
`clip/img_00001.jpg`. What lies beside that folder, and hidden files, stay packed.
"""

import contextlib
import dataclasses
import gzip
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import rich.progress

from data_pipelines.runtime.errors import UserError

_DAMAGE = (gzip.BadGzipFile, EOFError, zlib.error, tarfile.TarError, ValueError)
_BLOCK_BYTES = 512  # tar's unit


class NoRoomError(UserError):
    """The archive is larger than the disk; it may be sound."""


@dataclasses.dataclass(frozen=True)
class Contents:
    """What an archive unpacks to. `top`: its folder in the archive. `entries`: names in it."""

    top: PurePosixPath
    entries: tuple[str, ...]


def inspect(archive: Path, content: str, room: int, progress: rich.progress.Progress) -> Contents:
    """Reads the whole archive. `content`: a regular expression of the paths to look for, from the folder to
    unpack on. `room`: bytes it may unpack to.

    Raises UserError if the archive is damaged or truncated, holds no such content, holds it in several places, holds
    paths that lead out of it, links or devices, or unpacks to more than `room`: as soon as that shows, as a small file
    may unpack to any size.
    """
    with _opened(archive, "check", progress) as (stream, tar):
        paths: list[PurePosixPath] = []
        num_bytes = 0
        for member in tar:
            path = _safe_path(archive, member)
            if member.size < 0:
                raise tarfile.ReadError("a file in it has a negative size")
            num_bytes += member.size  # what a sparse file grows to; where its data end is what was packed of it
            _check_room(archive, max(num_bytes, member.offset_data), room)
            if member.isreg() and not _is_hidden(path):
                paths.append(path)
        # tarfile takes a broken header for the end: the end is a block of zeros, and nothing but zeros follow.
        if stream.tell() < tar.offset + _BLOCK_BYTES:
            raise tarfile.ReadError("it has no end")
        while rest := stream.read(1 << 20):  # to the end of the file, where gzip's checksum is
            _check_room(archive, stream.tell(), room)
            if rest.strip(b"\0"):
                raise tarfile.ReadError("a header in it is broken")
    top = _top(archive, paths, content)
    return Contents(top, tuple(sorted({path.relative_to(top).parts[0] for path in paths if path.is_relative_to(top)})))


def unpack(archive: Path, contents: Contents, folder: Path, progress: rich.progress.Progress) -> None:
    """Unpacks what `inspect` found into the new folder `folder`, which is removed again if anything fails."""

    def below_top(member: tarfile.TarInfo, destination: str) -> tarfile.TarInfo | None:
        path = _safe_path(archive, member)
        if _is_hidden(path) or path == contents.top or not path.is_relative_to(contents.top):
            return None
        name = str(path.relative_to(contents.top))
        return tarfile.data_filter(member.replace(name=name, deep=False), destination)

    folder.mkdir(parents=True)
    try:
        with _opened(archive, "unpack", progress) as (_, tar):
            tar.extractall(folder, filter=below_top)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def move_into_place(new: Path, target: Path) -> None:
    """Moves the folder `new` to `target` whole; into a folder that exists, the entries that it lacks."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        new.rename(target)
        return
    for entry in sorted(new.iterdir()):
        if not (target / entry.name).exists():
            entry.rename(target / entry.name)


@contextlib.contextmanager
def _opened(
    archive: Path, verb: str, progress: rich.progress.Progress
) -> Iterator[tuple[gzip.GzipFile, tarfile.TarFile]]:
    task = progress.add_task(f"{verb} {archive.name}", total=archive.stat().st_size)
    try:
        with (
            open(archive, "rb") as file,
            gzip.open(progress.wrap_file(file, task_id=task)) as stream,
            tarfile.open(fileobj=stream, mode="r:") as tar,
        ):
            yield stream, tar
    except _DAMAGE as error:
        raise UserError(f"{archive}: the archive is damaged or cut short ({error}). Fetch it again.") from None
    finally:
        progress.remove_task(task)


def _check_room(archive: Path, num_bytes: int, room: int) -> None:
    if num_bytes > room:
        raise NoRoomError(
            f"{archive}: unpacks to {num_bytes / 1e9:.1f} GB or more, and {room / 1e9:.1f} GB are free. "
            "Free some or give another --output."
        )


def _safe_path(archive: Path, member: tarfile.TarInfo) -> PurePosixPath:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        fault = "a path that leads out of it"
    elif not (member.isreg() or member.isdir()):
        fault = "a link or a device"
    else:
        return path
    raise UserError(f"{archive}: not safe to unpack: {member.name!r} is {fault}. Get the archive from a better source.")


def _is_hidden(path: PurePosixPath) -> bool:
    """Of .DS_Store and the like, which macOS adds to archives."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _top(archive: Path, paths: Iterable[PurePosixPath], content: str) -> PurePosixPath:
    """The folder that the content is in. Below it, content may lie in deeper folders too."""
    matches = (re.fullmatch(f"(.*?/)??{content}", str(path)) for path in paths)
    tops = sorted({PurePosixPath(match[1] or "") for match in matches if match}, key=lambda top: len(top.parts))
    if not tops:
        raise UserError(f"{archive}: no file in it matches {content}. Is it another archive? Fetch it again.")
    for other in tops:
        if not other.is_relative_to(tops[0]):
            raise UserError(
                f"{archive}: holds its content in several folders, {tops[0]} and {other}. Unpack it by hand."
            )
    return tops[0]
