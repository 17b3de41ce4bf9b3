"""Reads lines of text files whose fields are separated by a comma, semicolon, tab or bar."""

import codecs
import contextlib
import csv
import io
import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.text_files import encoding_of

ENCODINGS = "UTF-8, UTF-16, UTF-32 or Windows-1252"
_DELIMITERS = ",;\t|"
_QUOTED = re.compile(r'"[^"]*"')
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # Excel writes and reads this first line
_CHUNK_BYTES = 1 << 20


def rows_of(path: Path, comment: str = "") -> Iterator[tuple[int, list[str]]]:
    """Yields the line number and the fields of each line that is not empty, the header first.

    Byte order marks and headers within the file, as of joined files, are left out.

    Args:
      path: the file.
      comment: start of the lines before the header that are left out; none if empty.

    Raises:
      UserError: the file is missing, is not text, or has a field that is too long.
    """
    try:
        with open_gaze_text(path) as file:
            num_skipped, delimiter = _find_header(file, comment)
            file.seek(0)
            for _ in range(num_skipped):
                next(file)
            reader = csv.reader((line.replace("\ufeff", "") for line in file), delimiter=delimiter)
            header: list[str] | None = None
            try:
                for row in reader:
                    if row != header and any(map(str.strip, row)):
                        header = header or row
                        yield num_skipped + reader.line_num, row
            except csv.Error as error:
                line = num_skipped + reader.line_num
                raise UserError(f"{path}, line {line}: {error}. Correct or remove the line.") from None
    except UnicodeError:
        raise not_text(path) from None


def open_gaze_text(path: Path) -> TextIO:
    """Opens a text file of any of ENCODINGS, with line ends as they are. Reading may raise UnicodeError."""
    if not path.is_file():
        raise UserError(f"{path}: is not a file. Give tables of gaze, or folders of them.")
    with path.open("rb") as file:
        encoding = encoding_of(file.read(_CHUNK_BYTES))
        file.seek(0)
        if encoding == "utf-8-sig" and not _is_utf8(iter(lambda: file.read(_CHUNK_BYTES), b"")):
            encoding = "cp1252"
    return path.open(encoding=encoding, newline="")


def first_lines(head: bytes) -> list[str]:
    """Returns the lines of a file's first bytes. The last may be cut."""
    return head.decode(encoding_of(head), "replace").splitlines()


def titles_in(head: bytes, plain: Callable[[str], str] = lambda title: title.strip().casefold()) -> set[str]:
    """Returns the titles of a table's columns.

    Args:
      head: the file's first bytes.
      plain: returns a title as it is wanted.
    """
    file = io.StringIO(head.decode(encoding_of(head), "replace"), newline="")
    num_skipped, delimiter = _find_header(file, "")
    file.seek(0)
    rows = csv.reader(itertools.islice(file, num_skipped, None), delimiter=delimiter)
    with contextlib.suppress(csv.Error):
        return {plain(title.replace("\ufeff", "")) for title in next(rows, [])}
    return set()


def not_text(path: Path) -> UserError:
    return UserError(f"{path}: is not text in {ENCODINGS}. Export it as CSV in UTF-8.")


def _is_utf8(chunks: Iterator[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in chunks:
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _find_header(file: TextIO, comment: str) -> tuple[int, str]:
    """Returns the number of lines before the header and the delimiter."""
    for number, line in enumerate(file):
        line = line.lstrip("\ufeff")
        if separator := _SEPARATOR_LINE.fullmatch(line):
            return number + 1, separator[1]
        if line.strip() and not (comment and line.startswith(comment)):
            return number, max(_DELIMITERS, key=_QUOTED.sub("", line).count)
    return 0, ","
