"""Makes the standard streams of a command accept any text, also when nobody reads it."""

import io
import os
import sys
from typing import Any


def prepare_streams(is_command: bool) -> None:
    """Makes stdout and stderr replace characters that their encoding lacks.

    In a command of its own process, they also go on when their reader has ended, as `head` does: the work is not lost.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper):  # a notebook's, a test's, or None if it is closed
            continue
        stream.reconfigure(errors="replace")
        raw: Any = getattr(stream.buffer, "raw", stream.buffer)
        if is_command and isinstance(raw, io.FileIO):
            stream.flush()
            setattr(sys, name, _text_of(Pipe(raw), stream))


def flush_streams() -> None:
    """Writes what the standard streams still hold.

    Raises:
      OSError: one of them cannot be written, such as a file on a full disk. What it holds is dropped.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            with open(os.devnull, "wb") as nowhere:  # Python would try again at its end, and report that too
                os.dup2(nowhere.fileno(), stream.fileno())
            raise


class Pipe(io.RawIOBase):
    """A stream that drops what is written after its reader has ended."""

    def __init__(self, raw: io.FileIO):
        self._raw = raw

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def isatty(self) -> bool:
        return self._raw.isatty()

    def write(self, data: Any) -> int | None:
        try:
            return self._raw.write(data)
        except BrokenPipeError:
            return memoryview(data).nbytes


def _text_of(pipe: Pipe, stream: io.TextIOWrapper) -> io.TextIOWrapper:
    """Returns a text stream over a pipe with the settings of another."""
    return io.TextIOWrapper(
        io.BufferedWriter(pipe),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
