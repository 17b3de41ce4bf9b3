"""Excerpts of a film's sound, read in chunks, in memory that does not grow with the film."""

from collections.abc import Iterable, Iterator

import numpy as np

from data_pipelines.films.sound import SAMPLE_RATE_HZ
from data_pipelines.inputs import windows

LONGEST_HELD = 60 * SAMPLE_RATE_HZ  # samples, 5 MB; clips of slide shows and of films with gaps can last longer


class SoundBuffer:
    """Returns the excerpts of a waveform that belong to clips.

    An excerpt longer than the network's input keeps its middle, which depends on where the sound ends. So excerpts
    longer than `LONGEST_HELD` are read twice: a second reader finds the end of the sound first, and then only the
    middle is kept. Without a second reader such excerpts are held whole.
    """

    def __init__(self, chunks: Iterable[np.ndarray], ahead: Iterable[np.ndarray] | None = None):
        """Starts at the first sample.

        Args:
          chunks: mono sound in chunks, float32.
          ahead: the same chunks from a second reader.
        """
        self._chunks, self._ahead = iter(chunks), None if ahead is None else iter(ahead)
        self._kept, self._begin = np.zeros(0, np.float32), 0
        self._num_ahead = 0  # samples that the second reader has read

    def excerpt(self, begin: int, end: int) -> np.ndarray:
        """Returns the samples begin..end-1 that exist. A long excerpt is cropped as `windows.waveform` crops it.

        Neither `begin` nor `end` may be less than in the call before.
        """
        if end - begin > LONGEST_HELD and self._ahead is not None:
            begin, end = windows.kept_samples(begin, max(begin, min(end, self._known_length(self._ahead, end))))
        length = self._read(begin, end)
        begin, end = windows.kept_samples(begin, max(begin, min(end, length)))
        self._forget(begin)
        return self._kept[: end - begin]

    def _read(self, begin: int, end: int) -> int:
        """Reads up to `end` and keeps the samples from `begin` on. Returns the number of samples read so far."""
        self._forget(begin)
        pieces, length = [self._kept], self._begin + len(self._kept)
        while length < end and (chunk := next(self._chunks, None)) is not None:
            length += len(chunk)
            if length > begin:
                pieces.append(chunk)
        if len(pieces) > 1:
            self._kept = np.concatenate(pieces)
        self._begin = length - len(self._kept)
        self._forget(begin)
        return length

    def _forget(self, begin: int) -> None:
        surplus = min(max(begin - self._begin, 0), len(self._kept))
        self._kept, self._begin = self._kept[surplus:], self._begin + surplus

    def _known_length(self, ahead: Iterator[np.ndarray], end: int) -> int:
        """Returns how many samples there are, up to `end` or one chunk further."""
        while self._num_ahead < end and (chunk := next(ahead, None)) is not None:
            self._num_ahead += len(chunk)
        return self._num_ahead
