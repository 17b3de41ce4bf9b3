"""Reads text files that other programs wrote: UTF-8, UTF-16 or UTF-32, with or without a byte order mark."""

import codecs
from pathlib import Path
from typing import TextIO

_MARKS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HEAD_BYTES = 256


def encoding_of(head: bytes) -> str:
    """Returns the encoding of a file with these first bytes. The rest of a file may show that it is not UTF-8."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    even, odd = any(head[0:200:2]), any(head[1:200:2])  # some programs write UTF-16 without a mark
    return "utf-16-le" if even and not odd and len(head) > 1 else "utf-16-be" if odd and not even else "utf-8-sig"


def open_text(path: Path, *, newline: str | None = None) -> TextIO:
    """Opens a text file to read. A byte order mark is no part of the text. Reading may raise UnicodeError.

    `newline` is that of `open`.
    """
    with path.open("rb") as file:
        encoding = encoding_of(file.read(_HEAD_BYTES))
    return path.open(encoding=encoding, newline=newline)


def read_text(path: Path) -> str:
    """Returns the content of a text file; see `open_text`. Marks within it, as of joined files, are left out."""
    with open_text(path) as file:
        return file.read().replace("\ufeff", "")
