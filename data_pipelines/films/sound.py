"""The sound of a film as the network takes it, in chunks, kept with the picture by its timestamps."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soxr

from data_pipelines.films.clock import sound_times
from data_pipelines.films.decoding import open_container, packets, seconds_of
from data_pipelines.runtime.errors import UserError

SAMPLE_RATE_HZ = 22_050  # of the network
FULL_SCALE = 256.0  # the network's waveforms lie in [-256, 256)
LARGEST_SAMPLE = FULL_SCALE - 1 / 128  # of 16-bit PCM / 128
QUALITY = "HQ"
BLOCK_SAMPLES = 16_384  # at most, of the film's own rate

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Block:
    """samples: float32 [S] in [-1, 1], mono. seconds: when the first is heard, on the film's clock, if known."""

    samples: np.ndarray
    rate_hz: int
    seconds: Fraction | None

    @property
    def duration_seconds(self) -> Fraction:
        return Fraction(len(self.samples), self.rate_hz)


def waveform_chunks(path: Path, start_seconds: Fraction, warn: bool = True) -> Iterator[np.ndarray]:
    """Yields the sound of a film, or of a file of its own, from `start_seconds` on that file's clock.

    Chunks are float32 [S], mono, 22,050 Hz, in [-256, 256), of a few seconds at most. Silence fills what the file has
    no sound for, except after its end. `warn` logs how many damaged packets were left out. Raises `UserError` if the
    file is gone or holds no sound.
    """
    for chunk in _resampled(_from(start_seconds, _blocks(path, warn))):
        yield np.clip(chunk * np.float32(FULL_SCALE), -FULL_SCALE, LARGEST_SAMPLE, dtype=np.float32)


def resample(waveform: np.ndarray, rate_hz: float) -> np.ndarray:
    """Returns a mono waveform [num_samples] of `rate_hz` at the network's 22,050 Hz, float32."""
    waveform = np.asarray(waveform, np.float32)
    if rate_hz == SAMPLE_RATE_HZ:
        return waveform
    return soxr.resample(waveform, rate_hz, SAMPLE_RATE_HZ, quality=QUALITY)


def sound_start(path: Path) -> Fraction:
    """When a file's first sample is heard, on its own clock. Raises `UserError` if it holds no sound."""
    first = next(_blocks(path, warn=False), None)
    if first is None:
        raise UserError(f"{path}: no sound could be decoded. Give a sound that plays.")
    return first.seconds or Fraction(0)


@contextmanager
def open_sound(path: Path) -> Iterator[tuple[av.container.InputContainer, av.AudioStream]]:
    """Opens a file to decode its sound. Raises `UserError` if it is missing, cannot be read or holds no sound."""
    with open_container(path, "a sound") as container:
        audio = next((stream for stream in container.streams.audio if stream.codec_context), None)
        if audio is None:
            raise UserError(f"{path}: holds no sound. Give a sound, or a film with sound.")
        yield container, audio


def _blocks(path: Path, warn: bool) -> Iterator[_Block]:
    """Decodes a file's sound."""
    damaged = 0
    with open_sound(path) as (container, audio):
        for packet in packets(path, container, [audio]):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                damaged += 1
                continue
            for frame in frames:
                yield _Block(_mono(frame), frame.sample_rate, seconds_of(frame))
    if warn and damaged:
        logger.warning("%s: %d damaged packets of its sound were left out.", path, damaged)


def _mono(frame: av.AudioFrame) -> np.ndarray:
    """Returns float32 [samples] in [-1, 1]: the mean of the channels, as for the raw data's stereo sounds."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    mono = samples.mean(axis=0, dtype=np.float64)
    if samples.dtype == np.uint8:
        mono = mono / 128 - 1
    elif samples.dtype.kind == "i":
        mono = mono / -float(np.iinfo(samples.dtype).min)
    return mono.astype(np.float32)


def _from(start_seconds: Fraction, blocks: Iterable[_Block]) -> Iterator[_Block]:
    """Yields blocks without gaps or overlaps from `start_seconds` on, of `BLOCK_SAMPLES` at most: padded with silence,
    cropped.
    """
    now = start_seconds
    timed = ((block, block.seconds, block.duration_seconds) for block in blocks)
    for block, seconds in sound_times(timed, start_seconds):
        missing = round((seconds - now) * block.rate_hz)
        silence = np.broadcast_to(np.float32(0), max(0, missing))  # takes no memory, however long
        for samples in (silence, block.samples[max(0, -missing) :]):
            for begin in range(0, len(samples), BLOCK_SAMPLES):
                part = _Block(np.ascontiguousarray(samples[begin : begin + BLOCK_SAMPLES]), block.rate_hz, now)
                yield part
                now += part.duration_seconds


def _resampled(blocks: Iterable[_Block]) -> Iterator[np.ndarray]:
    """Yields blocks at the network's rate, float32 in [-1, 1] and a little beyond."""
    rate_hz = resampler = None
    num_samples, elapsed = 0, Fraction(0)
    for block in blocks:
        if block.rate_hz != rate_hz:  # at the start, and where broadcasts change it
            if resampler:
                # Every change rounds to whole samples; this keeps them from adding up.
                rest = _fitted(_rest(resampler), round(elapsed * SAMPLE_RATE_HZ) - num_samples)
                num_samples += len(rest)
                yield rest
            rate_hz = block.rate_hz
            resampler = rate_hz != SAMPLE_RATE_HZ and soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, quality=QUALITY)
        chunk = resampler.resample_chunk(block.samples) if resampler else block.samples
        elapsed += block.duration_seconds
        num_samples += len(chunk)
        if len(chunk):
            yield chunk
    if resampler:
        yield _rest(resampler)


def _rest(resampler: soxr.ResampleStream) -> np.ndarray:
    return resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def _fitted(samples: np.ndarray, length: int) -> np.ndarray:
    return np.pad(samples[: max(0, length)], (0, max(0, length - len(samples))))
