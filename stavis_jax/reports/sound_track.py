"""The sound of a film, encoded again for another one, piece by piece."""

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from data_pipelines.errors import UserError, reason
from data_pipelines.film_sound import CLOCK_TOLERANCE_SECONDS, RESTART_SECONDS, open_sound
from data_pipelines.video_file import packets, seconds_of

AAC_RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)

LONGEST_GAP_SECONDS = 3600  # more is a wrong timestamp
SILENT_SAMPLES = 2**16  # at once


class SoundTrack:
    """The sound in its place by its timestamps, as the network hears it (film_sound.py): silence fills gaps, overlaps
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
        self._source_format = self._resampler = None
        self._heard_until: Fraction | None = None  # on the file's clock: the end of what is written
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
        self._frames.close()
        self._opened.close()

    def _decode(self, source: av.container.InputContainer, audio: av.AudioStream) -> Iterator[av.AudioFrame]:
        """Damaged packets are left out; whoever read the film before has told of them."""
        for packet in packets(self._path, source, [audio]):
            with contextlib.suppress(av.FFmpegError):
                yield from packet.decode()

    def _write_next(self) -> None:
        source = next(self._frames, None)
        if source is None:
            self._ended = True
            return
        self._keep_in_place(source)
        source_format = (source.format.name, source.layout.name, source.rate)
        if source_format != self._source_format:  # at the start, and where broadcasts change it
            self._encode(None)
            self._source_format = source_format
            self._resampler = av.AudioResampler("fltp", self._layout, self._rate_hz)
        source.pts = None
        self._encode(source)

    def _keep_in_place(self, source: av.AudioFrame) -> None:
        """Fills what is missing before a piece of sound, or leaves out what overlaps, by the time at which it says it
        starts; small differences add up until they count. Joined films may start their clock again.
        """
        seconds = seconds_of(source)
        if self._heard_until is None:  # the first one
            self._heard_until = self._start_seconds if seconds is None else seconds
            late = round((self._heard_until - self._start_seconds) * self._rate_hz)
            self._next_sample, self._left_out = max(0, late), max(0, -late)
        gap = Fraction(0) if seconds is None else seconds - self._heard_until
        if abs(gap) > CLOCK_TOLERANCE_SECONDS:
            self._heard_until = seconds
            if 0 < gap < LONGEST_GAP_SECONDS:
                self._write_silence(round(gap * self._rate_hz))
            elif -RESTART_SECONDS <= gap < 0:
                self._left_out += round(-gap * self._rate_hz)
        self._heard_until += Fraction(source.samples, source.sample_rate)

    def _write_silence(self, num_samples: int) -> None:
        self._encode(None)
        self._source_format = None
        self._resampler = av.AudioResampler("fltp", self._layout, self._rate_hz)
        channels = 1 if self._layout == "mono" else 2
        for begin in range(0, num_samples, SILENT_SAMPLES):
            silence = np.zeros((channels, min(SILENT_SAMPLES, num_samples - begin)), np.float32)
            self._encode(self._frame_of(silence))

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
