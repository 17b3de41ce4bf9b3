"""How much a .mat file unpacks to, before SciPy unpacks it."""

import struct
import zlib

from data_pipelines.limits import MOST_PIXELS

_SMALL = 1 << 16  # bytes; zlib packs to a thousandth at best, so these are harmless
_MOST_BYTES = 8 * MOST_PIXELS
_HEADER_BYTES, _TAG_BYTES = 128, 8
_COMPRESSED = 15  # miCOMPRESSED, of MATLAB's "MAT-File Format", table 1-1


def check_unpacked_size(content: bytes) -> None:
    """Raises ValueError if a variable of a MATLAB 5 file unpacks to more bytes than a large map of doubles has."""
    if len(content) <= _SMALL:
        return
    byte_order = ">" if content[126:128] == b"MI" else "<"
    at = _HEADER_BYTES
    while at + _TAG_BYTES <= len(content):
        kind, size = struct.unpack_from(f"{byte_order}II", content, at)
        at += _TAG_BYTES
        if kind == _COMPRESSED:
            unpacker = zlib.decompressobj()
            unpacked, rest = 0, content[at : at + size]
            while rest and not unpacker.eof:
                unpacked += len(unpacker.decompress(rest, 1 << 20))
                rest = unpacker.unconsumed_tail
                if unpacked > _MOST_BYTES:
                    raise ValueError("it unpacks to more than a map has")
        at += size
