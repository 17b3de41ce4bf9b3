"""Encodes the sound of a film as AAC for another film, in chunks."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from data_pipelines.films.sound import open_sound, sound_chunks

AAC_RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
FALLBACK_RATE_HZ = 48000


class SoundTrack:
    """Writes sound at the times at which the network hears it. More than two channels become stereo."""

    def __init__(self, target: av.container.OutputContainer, path: Path, start_seconds: Fraction):
        """Adds an AAC stream to `target`.

        Args:
          target: the film being written.
          path: the file to read the sound from.
          start_seconds: time of the first picture, on the clock of that file.

        Raises:
          UserError: the file cannot be read or holds no sound.
        """
        with open_sound(path) as (_, audio):
            rate_hz = audio.rate if audio.rate in AAC_RATES_HZ else FALLBACK_RATE_HZ
            channels = min(2, audio.layout.nb_channels)
        self._layout = "mono" if channels == 1 else "stereo"
        self._target, self._stream = target, target.add_stream("aac", rate=rate_hz, layout=self._layout)
        self._chunks: Any = sound_chunks(path, start_seconds, rate_hz, channels, warn=False)  # a generator
        self._rate_hz, self._num_written = rate_hz, 0

    def write_until(self, seconds: Fraction) -> None:
        """Writes the sound at least up to a time of the film."""
        while self._num_written < seconds * self._rate_hz and (chunk := next(self._chunks, None)) is not None:
            self._encode(chunk)

    def finish(self) -> None:
        """Writes the rest of the sound."""
        for chunk in self._chunks:
            self._encode(chunk)
        self._target.mux(self._stream.encode(None))

    def close(self) -> None:
        """Closes the file of the sound."""
        self._chunks.close()

    def _encode(self, chunk: np.ndarray) -> None:
        if not len(chunk):
            return
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(chunk.T), format="fltp", layout=self._layout)
        frame.rate, frame.pts, frame.time_base = self._rate_hz, self._num_written, Fraction(1, self._rate_hz)
        self._num_written += len(chunk)
        self._target.mux(self._stream.encode(frame))
