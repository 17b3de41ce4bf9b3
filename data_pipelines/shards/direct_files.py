"""Copies values of records straight from an ArrayRecord file to where they belong, without the library's copies.

`prepare` writes one uncompressed record per Riegeli chunk, so the bytes of a value lie in the file as they are. Only
the headers of the file's blocks interrupt them. Positions that do not count these headers are called logical here. See
https://github.com/google/riegeli/blob/master/doc/riegeli_records_file_format.md.
"""

import os
import struct
import weakref
from collections.abc import Iterator
from pathlib import Path

CAN_COPY = hasattr(os, "preadv")  # not on Windows

_BLOCK, _BLOCK_HEADER, _CHUNK_HEADER = 1 << 16, 24, 40
_PAYLOAD = _BLOCK - _BLOCK_HEADER
_IGNORED = memoryview(bytearray(_BLOCK_HEADER))  # takes the block headers


class DirectFile:
    """A file, read at logical positions. Threads may share it."""

    def __init__(self, path: Path):
        self._descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)

    def copy(self, begin: int, out: memoryview) -> None:
        """Fills `out`, bytes, with the file's content from a logical position on. Raises EOFError past the end."""
        block, offset = divmod(begin, _PAYLOAD)
        first = _PAYLOAD - offset
        if len(out) <= first:
            buffers, expected = [out], len(out)
        else:
            buffers = [out[:first]]
            for start in range(first, len(out), _PAYLOAD):
                buffers += [_IGNORED, out[start : start + _PAYLOAD]]
            expected = len(out) + _BLOCK_HEADER * (len(buffers) // 2)
        if os.preadv(self._descriptor, buffers, block * _BLOCK + _BLOCK_HEADER + offset) != expected:
            raise EOFError(f"the file ends before byte {block * _BLOCK + _BLOCK_HEADER + offset + expected}")

    def record_ends(self) -> Iterator[int]:
        """Yields the logical end position of each record, in file order."""
        position, header = 0, bytearray(_CHUNK_HEADER)
        while True:
            self.copy(position, memoryview(header))
            data_size, kind_and_count = struct.unpack_from("<8xQ8xQ", header)
            position += _CHUNK_HEADER + data_size
            if kind_and_count == ord("r") | 1 << 8:  # a chunk with one record
                yield position
