"""Downloads a file over HTTP and continues an interrupted download."""

import contextlib
import http.client
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.progress import Progress, TaskID

from data_pipelines.runtime.errors import UserError, reason

_TRIES = 4  # in a row, without a byte more than before
_PAUSE_SECONDS = 3.0
_TIMEOUT_SECONDS = 60.0
_CHUNK_BYTES = 1 << 20
PLAIN: dict[str, Any] = {"highlight": False, "markup": False, "soft_wrap": True}  # prints a line with rich as it is
_OTHER_WAY = "get the archive by other means and give its folder with --archives"


class CannotFetchError(UserError):
    """An archive cannot be fetched. `fault` is the message without its advice."""

    def __init__(self, fault: str, advice: str):
        super().__init__(f"{fault}. {advice}")
        self.fault = fault


class _CutError(Exception):
    """The transfer ended early. Another try may get more bytes."""


def download(url: str, path: Path, progress: Progress) -> None:
    """Downloads `url` to `path`. Keeps the bytes received so far in `path` + ".partial", also after an error.

    Continues a partial file by a Range request. If the server ignores the request, the file starts again. The caller
    must check that a continued file is intact, for example by gzip's checksum.

    Raises:
      CannotFetchError: the server refuses, cannot be reached, or sends fewer or more bytes than it announced.
      UserError: the disk has too little space.
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
                    again = "Run the command again to continue" if partial.exists() else "Try again later"
                    advice = f"{again}, try a mirror with --base-url, or {_OTHER_WAY}."
                    raise CannotFetchError(f"{url}: {fault}", advice) from None
                progress.console.print(f"{url}: {fault}. Trying again.", **PLAIN)
            time.sleep(_PAUSE_SECONDS)
        partial.rename(path)
    finally:
        progress.remove_task(task)


def free_bytes(folder: Path) -> int:
    """Returns the free space on the disk of `folder`, which may not exist yet."""
    return shutil.disk_usage(next(place for place in (folder, *folder.absolute().parents) if place.exists())).free


def _transfer(url: str, partial: Path, progress: Progress, task: TaskID) -> None:
    """Appends to `partial` until it is whole."""
    offset = _size(partial)
    # Without "identity", a server may send a range of a compressed form of the file.
    headers = {"User-Agent": "stavis-jax", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    try:
        with _cut_by("the server cannot be reached"):
            response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        with error:
            if _is_whole(error, offset):
                return
            raise _refusal(error, url, partial) from None
    with response:
        offset, total = _extent(response, partial, offset)
        progress.update(task, completed=offset, total=total)
        partial.parent.mkdir(parents=True, exist_ok=True)
        missing, free = (total or 0) - offset, free_bytes(partial.parent)
        if missing > free:
            raise UserError(
                f"{partial.parent}: the download of {url} needs {missing / 1e9:.1f} GB and {free / 1e9:.1f} GB are "
                "free. Free some space, or use another disk."
            )
        with open(partial, "ab" if offset else "wb") as file:
            while True:
                with _cut_by("the connection broke"):
                    chunk = response.read(_CHUNK_BYTES)
                if not chunk:
                    break
                file.write(chunk)
                progress.advance(task, len(chunk))
    received = _size(partial)
    if total is not None and received != total:
        if received > total:
            partial.unlink()
        raise _CutError(f"{received} of {total} bytes arrived")


@contextlib.contextmanager
def _cut_by(what: str) -> Iterator[None]:
    """Turns network errors into _CutError. Errors that the server sends pass unchanged."""
    try:
        yield
    except urllib.error.HTTPError:
        raise
    except (OSError, http.client.HTTPException) as error:
        cause = getattr(error, "reason", error)  # of an error of urllib
        raise _CutError(f"{what} ({reason(cause) if isinstance(cause, Exception) else cause})") from None


def _is_whole(error: urllib.error.HTTPError, offset: int) -> bool:
    """Returns whether the server has nothing left to send."""
    return bool(offset) and error.code == 416 and error.headers.get("Content-Range", "").strip() == f"bytes */{offset}"


def _refusal(error: urllib.error.HTTPError, url: str, partial: Path) -> Exception:
    if error.code == 416 and partial.exists():  # fewer bytes on the server than here
        partial.unlink()
        return _CutError("the file on the server has changed since the download began")
    answer = f"the server answers {error.code} {error.reason}"
    if error.code == 429 or error.code >= 500:
        return _CutError(answer)
    return CannotFetchError(f"{url}: {answer}", f"Check --base-url, or {_OTHER_WAY}.")


def _extent(response: http.client.HTTPResponse, partial: Path, offset: int) -> tuple[int, int | None]:
    """Returns where the answer's bytes begin in the file, and the size of the whole file if it is announced."""
    if response.status != 206:  # the whole file, whatever the request was
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdigit() else None
    answer = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    if not answer or int(answer[1]) != offset:
        partial.unlink(missing_ok=True)
        raise _CutError("the server sent another part of the file than the one requested")
    return offset, None if answer[2] == "*" else int(answer[2])


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
