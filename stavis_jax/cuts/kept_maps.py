"""Keeps the maps of a cut in a temporary file until they are drawn, since all of them may not fit into memory."""

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

from stavis_jax.cuts.cut import TimedMap
from stavis_jax.maps.pictures import saliency_picture


class KeptMaps:
    """Maps as they are drawn: uint8 [S, S], each stretched from its minimum to its maximum. Use `kept_maps`."""

    def __init__(self, file: IO[bytes]):
        self._file = file
        self._shape: tuple[int, ...] = ()

    def watch(self, maps: Iterable[TimedMap]) -> Iterator[TimedMap]:
        """Yields maps of one size as they come, and keeps them."""
        for one in maps:
            self._shape = one.saliency.shape
            self._file.write(saliency_picture(one.saliency).tobytes())
            yield one

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yields the kept maps in order."""
        self._file.seek(0)
        size = int(np.prod(self._shape))
        while content := self._file.read(size):
            yield np.frombuffer(content, np.uint8).reshape(self._shape)


@contextlib.contextmanager
def kept_maps(folder: Path) -> Iterator[KeptMaps]:
    """Yields a place for maps on the disk of a folder. Its file has no name there and is removed at the end."""
    with tempfile.TemporaryFile(dir=folder) as file:
        yield KeptMaps(file)
