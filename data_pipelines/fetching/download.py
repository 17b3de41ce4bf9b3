"""One file by HTTP. A download that was cut goes on where it ended."""

import http.client
import re
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path

import rich.progress

from data_pipelines.runtime.errors import UserError

_TRIES = 4  # in a row, without a byte more than before
_PAUSE_SECONDS = 3.0
_TIMEOUT_SECONDS = 60.0
_CHUNK_BYTES = 1 << 20
PLAIN = {"highlight": False, "markup": False, "soft_wrap": True}  # of rich: a line as it is
_OTHER_WAY = "get the archive by other means and give its folder with --archives"


class _CutError(Exception):
    """The transfer ended early; another try may bring more."""


def download(url: str, path: Path, progress: rich.progress.Progress) -> None:
    """Downloads `url` to `path`; what has arrived so far is in `path` + ".partial", now or after an error.

    A partial file is continued by a Range request; if the server ignores it, the file starts again. That a continued
    file is one piece is left to its reader: a gzip file has a checksum.
    Raises UserError if the server refuses, cannot be reached, or sends another number of bytes than it announced.
    """
    if path.is_file():
        return  # an earlier run was stopped between its download and its use
    partial = path.with_name(f"{path.name}.partial")
    task = progress.add_task(f"download {path.name}", total=None)
    try:
        tries_left, most_bytes = _TRIES, _size(partial)
        while True:
            try:
                _transfer(url, partial, progress, task)
                break
            except _CutError as fault:
                tries_left -= 1
                if _size(partial) > most_bytes:
                    tries_left, most_bytes = _TRIES, _size(partial)
                if not tries_left:
                    again = "Run the command again to go on from there" if partial.exists() else "Try again later"
                    raise UserError(
                        f"{url}: {fault}. {again}, try a mirror with --base-url, or {_OTHER_WAY}."
                    ) from None
                progress.console.print(f"{url}: {fault}. Trying again.", **PLAIN)
            time.sleep(_PAUSE_SECONDS)
        partial.rename(path)
    finally:
        progress.remove_task(task)


def free_bytes(folder: Path) -> int:
    """Room on the disk of `folder`, which may not exist yet."""
    return shutil.disk_usage(next(place for place in (folder, *folder.absolute().parents) if place.exists())).free


def _transfer(url: str, partial: Path, progress: rich.progress.Progress, task: rich.progress.TaskID) -> None:
    offset = _size(partial)
    try:
        response = _open(url, offset)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and offset:  # nothing left to send, or fewer bytes than are here
                if error.headers.get("Content-Range", "").strip() == f"bytes */{offset}":
                    return
                partial.unlink()
                raise _CutError("the file on the server has changed since the download began") from None
            answer = f"the server answers {error.code} {error.reason}"
            if error.code == 429 or error.code >= 500:
                raise _CutError(answer) from None
            raise UserError(f"{url}: {answer}. Check --base-url, or {_OTHER_WAY}.") from None
    with response:
        offset, total = _extent(response, partial, offset)
        progress.update(task, completed=offset, total=total)
        partial.parent.mkdir(parents=True, exist_ok=True)
        missing, free = (total or 0) - offset, free_bytes(partial.parent)
        if missing > free:
            raise UserError(
                f"{partial.parent}: the download of {url} needs {missing / 1e9:.1f} GB and {free / 1e9:.1f} GB are "
                "free. Free some or give another --output."
            )
        with open(partial, "ab" if offset else "wb") as file:
            while chunk := _read(response):
                file.write(chunk)
                progress.advance(task, len(chunk))
    received = _size(partial)
    if total is not None and received != total:
        if received > total:
            partial.unlink()
        raise _CutError(f"{received} of {total} bytes arrived")


def _open(url: str, offset: int) -> http.client.HTTPResponse:
    # Without "identity" a server may answer a range of some other, compressed, form of the file.
    headers = {"User-Agent": "stavis-jax", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    try:
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError:
        raise
    except (OSError, http.client.HTTPException) as error:
        raise _CutError(f"the server cannot be reached ({getattr(error, 'reason', error)})") from None


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(_CHUNK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _CutError(f"the connection broke ({error or type(error).__name__})") from None


def _extent(response: http.client.HTTPResponse, partial: Path, offset: int) -> tuple[int, int | None]:
    """Where the answer's bytes begin in the file, and the bytes of the whole file if announced."""
    if response.status != 206:  # all of it, whatever was asked for
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdigit() else None
    answer = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    if not answer or int(answer[1]) != offset:
        partial.unlink(missing_ok=True)
        raise _CutError("the server sent another part of the file than was asked for")
    return offset, None if answer[2] == "*" else int(answer[2])


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
