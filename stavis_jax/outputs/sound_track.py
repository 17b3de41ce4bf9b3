"""The sound of a film, encoded again for another one, piece by piece."""

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from data_pipelines.films.clock import sound_times
from data_pipelines.films.decoding import packets, seconds_of
from data_pipelines.films.sound import open_sound
from data_pipelines.runtime.errors import UserError, reason

AAC_RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
SILENT_SAMPLES = 2**16  # at once


class SoundTrack:
    """The sound in its place by its timestamps, as the network hears it (film_clock.py): silence fills gaps, overlaps
    are left out. More than two channels become stereo. What sounds before the first picture is left out.
    """

    def __init__(self, target: av.container.OutputContainer, path: Path, start_seconds: Fraction):
        """`start_seconds`: the first picture's time on the clock of the file `path`.

        Raises `UserError` if that cannot be read or holds no sound.
        """
        self._opened = contextlib.ExitStack()
        source, audio = self._opened.enter_context(open_sound(path))
        self._path, self._target, self._start_seconds = path, target, start_seconds
        self._rate_hz = audio.rate if audio.rate in AAC_RATES_HZ else 48000
        self._layout = "mono" if audio.layout.nb_channels == 1 else "stereo"
        self._stream = target.add_stream("aac", rate=self._rate_hz, layout=self._layout)
        self._frames = self._decode(source, audio)
        self._pieces = self._in_place()
        self._source_format = self._resampler = None
        self._next_sample = 0  # its number, from the first picture on
        self._left_out = 0  # samples that come next and are not to be heard
        self._ended = False

    def write_until(self, seconds: Fraction | float) -> None:
        """Writes the sound up to a time of the film, at least."""
        while not self._ended and self._next_sample < seconds * self._rate_hz:
            self._write_next()

    def finish(self) -> None:
        """Writes all that is left."""
        while not self._ended:
            self._write_next()
        self._encode(None)
        self._target.mux(self._stream.encode(None))

    def close(self) -> None:
        self._ended = True
        self._pieces.close()
        self._frames.close()
        self._opened.close()

    def _decode(self, source: av.container.InputContainer, audio: av.AudioStream) -> Iterator[av.AudioFrame]:
        """Damaged packets are left out; whoever read the film before has told of them."""
        for packet in packets(self._path, source, [audio]):
            with contextlib.suppress(av.FFmpegError):
                yield from packet.decode()

    def _in_place(self) -> Iterator[av.AudioFrame | int]:
        """Yields the sound and, as numbers of samples, the silence that is missing before a piece of it; notes how much
        of what comes next overlaps. Small differences between timestamps add up until they count.
        """
        timed = ((frame, seconds_of(frame), Fraction(frame.samples, frame.sample_rate)) for frame in self._frames)
        heard_until = None  # on the file's clock
        for frame, seconds in sound_times(timed, self._start_seconds):
            if heard_until is None:  # a late first piece needs no silence before it
                late = round((seconds - self._start_seconds) * self._rate_hz)
                self._next_sample, missing = max(0, late), min(0, late)
            else:
                missing = round((seconds - heard_until) * self._rate_hz)
            self._left_out += max(0, -missing)
            for begin in range(0, missing, SILENT_SAMPLES):
                yield min(SILENT_SAMPLES, missing - begin)
            yield frame
            heard_until = seconds + Fraction(frame.samples, frame.sample_rate)

    def _write_next(self) -> None:
        piece = next(self._pieces, None)
        if piece is None:
            self._ended = True
        elif isinstance(piece, int):
            self._write_silence(piece)
        else:
            self._write_sound(piece)

    def _write_sound(self, source: av.AudioFrame) -> None:
        source_format = (source.format.name, source.layout.name, source.rate)
        if source_format != self._source_format:  # at the start, after silence, and where broadcasts change it
            self._encode(None)
            self._source_format = source_format
            self._resampler = av.AudioResampler("fltp", self._layout, self._rate_hz)
        source.pts = None
        self._encode(source)

    def _write_silence(self, num_samples: int) -> None:
        if self._source_format is not None:
            self._encode(None)
            self._source_format = None
            self._resampler = av.AudioResampler("fltp", self._layout, self._rate_hz)
        channels = 1 if self._layout == "mono" else 2
        self._encode(self._frame_of(np.zeros((channels, num_samples), np.float32)))

    def _encode(self, source: av.AudioFrame | None) -> None:
        """Encodes a frame, or with None what the resampler still holds."""
        for frame in self._resampled(source):
            left_out = min(self._left_out, frame.samples)
            self._left_out -= left_out
            if left_out == frame.samples:
                continue
            if left_out:
                frame = self._frame_of(np.ascontiguousarray(frame.to_ndarray()[:, left_out:]))
            frame.pts, frame.time_base = self._next_sample, Fraction(1, self._rate_hz)
            self._next_sample += frame.samples
            self._target.mux(self._stream.encode(frame))

    def _resampled(self, source: av.AudioFrame | None) -> list[av.AudioFrame]:
        try:
            return self._resampler.resample(source) if self._resampler else []
        except av.FFmpegError as error:
            raise UserError(f"{self._path}: its sound cannot be read ({reason(error)}). Give another sound.") from error

    def _frame_of(self, samples: np.ndarray) -> av.AudioFrame:
        """float32 [channels, samples] as a frame for the encoder."""
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=self._layout)
        frame.rate = self._rate_hz
        return frame
