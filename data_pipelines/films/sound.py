"""Decodes the sound of a film in chunks, placed by its timestamps: for the network, and for other films."""

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
from data_pipelines.runtime.errors import UserError, reason

SAMPLE_RATE_HZ = 22_050  # of the network
FULL_SCALE = 256.0  # the network's waveforms lie in [-256, 256)
LARGEST_SAMPLE = FULL_SCALE - 1 / 128  # of 16-bit PCM / 128
QUALITY = "HQ"
BLOCK_SAMPLES = 16_384  # at most, of the film's own rate

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Block:
    """samples: float32 [S, channels] in [-1, 1]. seconds: time of the first one on the film's clock, if known."""

    samples: np.ndarray
    rate_hz: int
    seconds: Fraction | None

    @property
    def duration_seconds(self) -> Fraction:
        return Fraction(len(self.samples), self.rate_hz)


def waveform_chunks(path: Path, start_seconds: Fraction, warn: bool = True) -> Iterator[np.ndarray]:
    """Yields the sound as the network takes it: float32 [S], mono, 22,050 Hz, in [-256, 256).

    Arguments and errors: see `sound_chunks`.
    """
    for chunk in sound_chunks(path, start_seconds, SAMPLE_RATE_HZ, 1, warn):
        yield np.clip(chunk[:, 0] * np.float32(FULL_SCALE), -FULL_SCALE, LARGEST_SAMPLE, dtype=np.float32)


def sound_chunks(
    path: Path, start_seconds: Fraction, rate_hz: int, channels: int, warn: bool = True
) -> Iterator[np.ndarray]:
    """Yields the sound of a film or sound file in chunks of a few seconds at most.

    Silence fills gaps in the sound, and overlaps are left out. Nothing is added after its end.

    Args:
      path: the file.
      start_seconds: time of the first sample, on the clock of the file.
      rate_hz: sample rate of the chunks.
      channels: 1 for the mean of all channels, 2 for stereo.
      warn: whether to log the number of damaged packets.

    Yields:
      float32 [S, channels] in [-1, 1] and, after resampling, a little beyond.

    Raises:
      UserError: the file is missing, cannot be read or holds no sound.
    """
    yield from _resampled(_from(start_seconds, _blocks(path, channels, warn)), rate_hz, channels)


def resample(waveform: np.ndarray, rate_hz: float) -> np.ndarray:
    """Returns a mono waveform [num_samples] of `rate_hz` at the network's 22,050 Hz, float32."""
    waveform = np.asarray(waveform, np.float32)
    if rate_hz == SAMPLE_RATE_HZ:
        return waveform
    return soxr.resample(waveform, rate_hz, SAMPLE_RATE_HZ, quality=QUALITY)


def sound_start(path: Path) -> Fraction:
    """When a file's first sample is heard, on its own clock. Raises `UserError` if it holds no sound."""
    first = next(_blocks(path, channels=1, warn=False), None)
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


def _blocks(path: Path, channels: int, warn: bool) -> Iterator[_Block]:
    """Decodes a file's sound."""
    damaged = 0
    mixed = _mono if channels == 1 else _Stereo(path)
    with open_sound(path) as (container, audio):
        for packet in packets(path, container, [audio]):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                damaged += 1
                continue
            for frame in frames:
                seconds = seconds_of(frame)
                yield _Block(mixed(frame), frame.sample_rate, seconds)
    if warn and damaged:
        logger.warning("%s: %d damaged packets of its sound were left out.", path, damaged)


def _mono(frame: av.AudioFrame) -> np.ndarray:
    """Returns float32 [S, 1] in [-1, 1]: the mean of the channels, as for the raw data's stereo sounds."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    mono = samples.mean(axis=0, dtype=np.float64)
    if samples.dtype == np.uint8:
        mono = mono / 128 - 1
    elif samples.dtype.kind == "i":
        mono = mono / -float(np.iinfo(samples.dtype).min)
    return mono.astype(np.float32)[:, None]


class _Stereo:
    """Mixes frames of any number of channels down to float32 [S, 2] in [-1, 1]."""

    def __init__(self, path: Path):
        self._path = path
        self._source_format, self._mixer = None, None

    def __call__(self, frame: av.AudioFrame) -> np.ndarray:
        source_format = (frame.format.name, frame.layout.name, frame.sample_rate)
        if source_format != self._source_format:  # at the start, and where broadcasts change it
            self._source_format = source_format
            self._mixer = av.AudioResampler("fltp", "stereo", frame.sample_rate)
        frame.pts = None  # the mixer would complain of a timestamp that is out of order
        try:
            mixed = self._mixer.resample(frame)
        except av.FFmpegError as error:
            raise UserError(f"{self._path}: its sound cannot be read ({reason(error)}). Give another sound.") from error
        return np.concatenate([np.zeros((0, 2), np.float32), *(part.to_ndarray().T for part in mixed)])


def _from(start_seconds: Fraction, blocks: Iterable[_Block]) -> Iterator[_Block]:
    """Yields blocks without gaps or overlaps from `start_seconds` on, of `BLOCK_SAMPLES` at most: padded with silence,
    cropped.
    """
    now = start_seconds
    timed = ((block, block.seconds, block.duration_seconds) for block in blocks)
    for block, seconds in sound_times(timed, start_seconds):
        missing = round((seconds - now) * block.rate_hz)
        silence = np.broadcast_to(np.float32(0), (max(0, missing), block.samples.shape[1]))  # takes no memory
        for samples in (silence, block.samples[max(0, -missing) :]):
            for begin in range(0, len(samples), BLOCK_SAMPLES):
                part = _Block(np.ascontiguousarray(samples[begin : begin + BLOCK_SAMPLES]), block.rate_hz, now)
                yield part
                now += part.duration_seconds


def _resampled(blocks: Iterable[_Block], rate_hz: int, channels: int) -> Iterator[np.ndarray]:
    """Yields the samples of blocks at another rate."""
    block_rate_hz = resampler = None
    num_samples, elapsed = 0, Fraction(0)
    for block in blocks:
        if block.rate_hz != block_rate_hz:  # at the start, and where broadcasts change it
            if resampler:
                # Every change rounds to whole samples; this keeps them from adding up.
                rest = _fitted(_rest(resampler, channels), round(elapsed * rate_hz) - num_samples)
                num_samples += len(rest)
                yield rest
            block_rate_hz = block.rate_hz
            resampler = None
            if block_rate_hz != rate_hz:
                resampler = soxr.ResampleStream(block_rate_hz, rate_hz, channels, quality=QUALITY)
        chunk = resampler.resample_chunk(block.samples) if resampler else block.samples
        elapsed += block.duration_seconds
        num_samples += len(chunk)
        if len(chunk):
            yield chunk
    if resampler:
        yield _rest(resampler, channels)


def _rest(resampler: soxr.ResampleStream, channels: int) -> np.ndarray:
    return resampler.resample_chunk(np.zeros((0, channels), np.float32), last=True)


def _fitted(samples: np.ndarray, length: int) -> np.ndarray:
    return np.pad(samples[: max(0, length)], ((0, max(0, length - len(samples))), (0, 0)))
