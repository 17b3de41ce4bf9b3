"""Reads maps from a film that has one grey frame for each frame of the original. Maps show saliency or gaze."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np

from data_pipelines.films.decoding import open_video, packets
from data_pipelines.runtime.errors import UserError, reason

MOST_BITS = 8  # of a channel; deeper films are decoded to 16 bits


class FilmMaps(Mapping[int, np.ndarray]):
    """Maps frame numbers, from 1, to maps float32 [h, w] in [0, 255]: the mean of red, green and blue.

    Frames are decoded when they are accessed, so access them in rising order: an earlier frame starts the film anew.
    The object can be pickled; the copy opens its own decoder.

    Attributes:
      path: the film.
      shape: height and width of the maps in pixels.
    """

    def __init__(self, path: Path):
        """Reads the film's header, and counts its frames if the header does not tell. Raises UserError if it cannot."""
        self.path = path
        with open_video(path) as streams:
            self.shape = (streams.video.codec_context.height, streams.video.codec_context.width)
            self._length = streams.video.frames
        self._decoded: Iterator[np.ndarray] | None = None
        self._number, self._current = 0, np.zeros((0, 0), np.float32)
        if not self._length:
            self._length = sum(1 for _ in self._decode())

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_decoded": None, "_number": 0, "_current": np.zeros((0, 0), np.float32)}

    def __getitem__(self, number: int) -> np.ndarray:
        if number not in self:
            raise KeyError(number)
        if self._decoded is None or number < self._number:
            self._decoded, self._number = self._decode(), 0
        while self._number < number:
            found = next(self._decoded, None)
            if found is None:
                raise UserError(
                    f"{self.path}: ends at frame {self._number}, its header says {self._length}. Write the film again."
                )
            self._number, self._current = self._number + 1, found
        return self._current

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and 1 <= number <= self._length

    def __iter__(self) -> Iterator[int]:
        return iter(range(1, self._length + 1))

    def __len__(self) -> int:
        return self._length

    def _decode(self) -> Iterator[np.ndarray]:
        with open_video(self.path) as streams:
            try:
                for packet in packets(self.path, streams.container, [streams.video]):
                    yield from map(_levels, packet.decode())
            except av.FFmpegError as error:
                raise UserError(f"{self.path}: cannot be decoded ({reason(error)}). Write the film again.") from error


def _levels(frame: av.VideoFrame) -> np.ndarray:
    """Returns the mean of a frame's channels, float32 [h, w] in [0, 255]."""
    deep = max(component.bits for component in frame.format.components) > MOST_BITS
    pixels = frame.to_ndarray(format="rgb48le" if deep else "rgb24")
    return pixels.mean(axis=2, dtype=np.float32) / np.float32(257 if deep else 1)
