"""The sound of a film, encoded again for another one, piece by piece."""

import contextlib
import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from data_pipelines.errors import UserError

AAC_RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)

SMALLEST_GAP_SECONDS = Fraction(1, 25)  # timestamps tremble by less
LONGEST_GAP_SECONDS = 3600  # more is a wrong timestamp
SILENT_SAMPLES = 2**16  # at once

logger = logging.getLogger(__name__)


class SoundTrack:
    """The sound, starting at its time in the film, silence in its gaps; more than two channels become stereo.

    What sounds before the first picture is left out.
    """

    def __init__(self, target: av.container.OutputContainer, path: Path, start_seconds: Fraction):
        """`start_seconds`: the first picture's time on the clock of the file `path`.

        Raises `UserError` if that holds no sound.
        """
        try:
            self._source = av.open(str(path))
        except (av.FFmpegError, OSError) as error:
            raise UserError(f"{path}: its sound cannot be read ({error.strerror}). Give a file that plays.") from error
        audio = next((stream for stream in self._source.streams.audio if stream.codec_context), None)
        if audio is None:
            self._source.close()
            raise UserError(f"{path}: holds no sound. Give a file with sound, or none.")
        self._target, self._start_seconds = target, start_seconds
        self._rate_hz = audio.rate if audio.rate in AAC_RATES_HZ else 48000
        self._layout = "mono" if audio.layout.nb_channels == 1 else "stereo"
        self._stream = target.add_stream("aac", rate=self._rate_hz, layout=self._layout)
        self._frames = self._decode(path, audio)
        self._source_format = self._resampler = None
        self._heard_until: Fraction | None = None  # on the file's clock
        self._next_sample: int | None = None  # its number, from the first picture on; negative before that
        self._ended = False

    def write_until(self, seconds: Fraction | float) -> None:
        """Writes the sound up to a time of the film, at least."""
        while not self._ended and (self._next_sample or 0) < seconds * self._rate_hz:
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
        self._source.close()

    def _decode(self, path: Path, audio: av.AudioStream) -> Iterator[av.AudioFrame]:
        """Damaged packets are left out; whoever read the film before has told of them."""
        packets = self._source.demux(audio)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                logger.warning("%s: its sound cannot be read to its end (%s).", path, error.strerror)
                return
            if packet is None:
                return
            with contextlib.suppress(av.FFmpegError):
                yield from packet.decode()

    def _write_next(self) -> None:
        source = next(self._frames, None)
        if source is None:
            self._ended = True
            return
        if self._next_sample is None:
            late_seconds = 0 if source.pts is None else source.pts * source.time_base - self._start_seconds
            self._next_sample = round(late_seconds * self._rate_hz)
        self._fill_gap(source)
        source_format = (source.format.name, source.layout.name, source.rate)
        if source_format != self._source_format:  # at the start, and where broadcasts change it
            self._encode(None)
            self._source_format = source_format
            self._resampler = av.AudioResampler("fltp", self._layout, self._rate_hz)
        source.pts = None
        self._encode(source)

    def _fill_gap(self, source: av.AudioFrame) -> None:
        """Silence up to the time at which a piece of sound says it starts; joined films may start their clock again."""
        seconds = self._heard_until if source.pts is None else source.pts * source.time_base
        if seconds is None:
            return
        gap = Fraction(0) if self._heard_until is None else seconds - self._heard_until
        if SMALLEST_GAP_SECONDS < gap < LONGEST_GAP_SECONDS:
            self._encode(None)
            self._source_format = None
            self._resampler = av.AudioResampler("fltp", self._layout, self._rate_hz)
            missing = round(gap * self._rate_hz)
            channels = 1 if self._layout == "mono" else 2
            while missing > 0:
                silence = np.zeros((channels, min(missing, SILENT_SAMPLES)), np.float32)
                frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout=self._layout)
                frame.rate = self._rate_hz
                self._encode(frame)
                missing -= silence.shape[1]
        self._heard_until = seconds + Fraction(source.samples, source.sample_rate)

    def _encode(self, source: av.AudioFrame | None) -> None:
        """Encodes a frame, or with None what the resampler still holds."""
        for frame in self._resampler.resample(source) if self._resampler else ():
            early = max(0, -self._next_sample)
            number, self._next_sample = max(0, self._next_sample), self._next_sample + frame.samples
            if early >= frame.samples:
                continue
            if early:
                samples = np.ascontiguousarray(frame.to_ndarray()[:, early:])
                frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=self._layout)
                frame.rate = self._rate_hz
            frame.pts, frame.time_base = number, Fraction(1, self._rate_hz)
            self._target.mux(self._stream.encode(frame))
