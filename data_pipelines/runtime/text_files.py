"""Reads text files that other programs wrote: UTF-8, UTF-16 or UTF-32, with or without a byte order mark."""

import codecs
from pathlib import Path
from typing import TextIO

from data_pipelines.runtime.regular_files import require_regular

_MARKS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HEAD_BYTES = 256
MOST_BYTES = 1 << 28  # of a text that is read at once: lists and settings have far fewer
MOST, LEAST = 0.9, 0.5  # share of zero bytes: nearly all in UTF-32; of a pair of places, some in UTF-16


def encoding_of(head: bytes) -> str:
    """Returns the encoding of a file with these first bytes. The rest of a file may show that it is not UTF-8."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    start = head[:_HEAD_BYTES]  # some programs write no mark; characters of titles and numbers have zero bytes then
    zeros = [start[place::4].count(0) / max(1, len(start[place::4])) for place in range(4)]
    if zeros[0] < 1 and min(zeros[2:]) > MOST:
        return "utf-32-le"
    if zeros[3] < 1 and min(zeros[:2]) > MOST:
        return "utf-32-be"
    even, odd = zeros[0] + zeros[2], zeros[1] + zeros[3]
    return "utf-16-le" if odd > LEAST and not even else "utf-16-be" if even > LEAST and not odd else "utf-8-sig"


def open_text(path: Path, *, newline: str | None = None) -> TextIO:
    """Opens a text file to read. A byte order mark is no part of the text. Reading may raise UnicodeError.

    `newline` is that of `open`. Raises OSError for a pipe or a device: it may never end, and cannot be opened twice.
    """
    require_regular(path)
    with path.open("rb") as file:
        encoding = encoding_of(file.read(_HEAD_BYTES))
    return path.open(encoding=encoding, newline=newline)


def read_text(path: Path) -> str:
    """Returns the content of a text file; see `open_text`. Marks within it, as of joined files, are left out.

    Raises OSError if the file has more than MOST_BYTES.
    """
    require_regular(path, MOST_BYTES)
    with open_text(path) as file:
        return file.read().replace("\ufeff", "")
