"""Reads the sound of a film in chunks, placed against the pictures by its timestamps."""

import dataclasses
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import cast

import av
import numpy as np
import soxr

from data_pipelines.films.clock import sound_times
from data_pipelines.films.decoding import open_container, packets, seconds_of, sound_stream
from data_pipelines.inputs.mixdown import MixdownPower
from data_pipelines.raw.sound_samples import checked_samples
from data_pipelines.runtime.errors import UserError, reason

SAMPLE_RATE_HZ = 22_050  # of the network
FULL_SCALE = 256.0  # the network's waveforms lie in [-256, 256)
LARGEST_SAMPLE = FULL_SCALE - 1 / 128  # of 16-bit PCM / 128
QUALITY = "HQ"
BLOCK_SAMPLES = 16_384  # at most, at the film's own sample rate

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class PcmSound:
    """The sound of a film at its own sample rate, as 16-bit PCM.

    Attributes:
      rate_hz: sample rate, that of the start of the film.
      num_channels: number of channels, that of the start of the film.
      chunks: int16 [S, num_channels], of a few seconds at most.
    """

    rate_hz: int
    num_channels: int
    chunks: Iterator[np.ndarray]


@dataclasses.dataclass(frozen=True)
class _Block:
    """Part of a film's sound.

    Attributes:
      samples: float32 [S, channels] in [-1, 1].
      rate_hz: sample rate.
      seconds: when the first sample is heard, on the film's clock; None if the film does not say.
    """

    samples: np.ndarray
    rate_hz: int
    seconds: Fraction | None

    @property
    def duration_seconds(self) -> Fraction:
        return Fraction(len(self.samples), self.rate_hz)

    def mixed(self, num_channels: int) -> "_Block":
        """Returns the block with `num_channels` channels: as it is, or each one the mean of all."""
        if self.samples.shape[1] == num_channels:
            return self
        mono = self.samples.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
        return dataclasses.replace(self, samples=np.repeat(mono, num_channels, axis=1))


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
      warn: whether to log the number of damaged packets, and that channels cancel each other.

    Yields:
      float32 [S, channels] in [-1, 1] and, after resampling, a little beyond.

    Raises:
      UserError: the file is missing, cannot be read or holds no sound.
    """
    samples_of = _samples if channels == 1 else _Stereo(path)
    blocks = _placed(start_seconds, _decoded(path, samples_of, warn))
    mixed = _mono(path, blocks) if channels == 1 and warn else (block.mixed(channels) for block in blocks)
    yield from _resampled(mixed, rate_hz)


def pcm_sound(path: Path, start_seconds: Fraction, warn: bool = True) -> PcmSound | None:
    """Returns the sound of a file as it was recorded, or None if none is heard from `start_seconds` on.

    Gaps and overlaps are treated as in `sound_chunks`. If the sample rate or the number of channels changes midway,
    the rest is converted to those of the start.
    """
    blocks = _placed(start_seconds, _decoded(path, _samples, warn))
    first = next(blocks, None)
    if first is None:
        return None
    rate_hz, num_channels = first.rate_hz, first.samples.shape[1]
    alike = (block.mixed(num_channels) for block in chain([first], blocks))
    return PcmSound(rate_hz, num_channels, map(_as_int16, _resampled(alike, rate_hz)))


def resample(waveform: np.ndarray, rate_hz: float) -> np.ndarray:
    """Returns a mono waveform [S] of sample rate `rate_hz` at the network's 22,050 Hz, float32."""
    waveform = np.asarray(waveform, np.float32)
    if rate_hz == SAMPLE_RATE_HZ:
        return waveform
    return soxr.resample(waveform, rate_hz, SAMPLE_RATE_HZ, quality=QUALITY)


def sound_start(path: Path) -> Fraction:
    """Returns when the first sample of a file is heard, on its own clock. Raises UserError if it holds no sound."""
    first = next(_decoded(path, _samples, warn=False), None)
    if first is None:
        raise UserError(f"{path}: no sound could be decoded. Give a sound that plays.")
    return first.seconds or Fraction(0)


@contextmanager
def open_sound(path: Path) -> Iterator[tuple[av.container.InputContainer, av.AudioStream]]:
    """Opens a file to decode its sound. Raises UserError if it is missing, cannot be read or holds no sound."""
    with open_container(path, "a sound") as container:
        audio = sound_stream(container)
        if container.format.name == "wav" and _first_bytes(path) == b"RIFX":  # FFmpeg swaps its bytes
            raise UserError(f"{path}: is a WAV file of the other order of bytes. Convert it to an ordinary one.")
        if audio is None:
            raise UserError(f"{path}: holds no sound. Give a sound, or a film with sound.")
        yield container, audio


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def _decoded(path: Path, samples_of: Callable[[av.AudioFrame], np.ndarray], warn: bool) -> Iterator[_Block]:
    num_damaged = 0
    with open_sound(path) as (container, audio):
        for packet in packets(path, container, [audio]):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                num_damaged += 1
                continue
            for frame in cast(list[av.AudioFrame], frames):
                seconds = seconds_of(frame)
                yield _Block(checked_samples(samples_of(frame), path), frame.sample_rate, seconds)
    if warn and num_damaged:
        logger.warning("%s: %d damaged packets of its sound were left out.", path, num_damaged)


def _samples(frame: av.AudioFrame) -> np.ndarray:
    """Returns float32 [S, channels] in [-1, 1]."""
    samples = frame.to_ndarray()
    samples = samples.T if frame.format.is_planar else samples.reshape(-1, frame.layout.nb_channels)
    if samples.dtype == np.uint8:
        samples = samples / 128 - 1
    elif samples.dtype.kind == "i":
        samples = samples / -float(np.iinfo(samples.dtype.name).min)
    return samples.astype(np.float32)


class _Stereo:
    """Mixes frames of any number of channels down to float32 [S, 2] in [-1, 1]."""

    def __init__(self, path: Path):
        self._path = path
        self._source_format: tuple[str, str, int] | None = None
        self._mixer: av.AudioResampler | None = None

    def __call__(self, frame: av.AudioFrame) -> np.ndarray:
        source_format = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._mixer is None or source_format != self._source_format:  # at the start, and where broadcasts change it
            self._source_format = source_format
            self._mixer = av.AudioResampler("fltp", "stereo", frame.sample_rate)
        frame.pts = None  # the mixer would complain of a timestamp that is out of order
        try:
            mixed = self._mixer.resample(frame)
        except av.FFmpegError as error:
            raise UserError(f"{self._path}: its sound cannot be read ({reason(error)}). Give another sound.") from error
        return np.concatenate([np.zeros((0, 2), np.float32), *(part.to_ndarray().T for part in mixed)])


def _as_int16(samples: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(samples * 2**15), -(2**15), 2**15 - 1).astype(np.int16)


def _mono(path: Path, blocks: Iterable[_Block]) -> Iterator[_Block]:
    """Yields blocks with the mean of their channels. At the end, warns if the channels cancel each other."""
    power = MixdownPower()
    try:
        for block in blocks:
            mono = block.mixed(1)
            power.add(block.samples, mono.samples)
            yield mono
    finally:  # the film may be shorter than its sound
        if power.is_cancelled:
            logger.warning("%s: the channels of its sound cancel each other; it is heard as silence.", path)


def _placed(start_seconds: Fraction, blocks: Iterable[_Block]) -> Iterator[_Block]:
    """Yields blocks of at most BLOCK_SAMPLES that follow one another from `start_seconds` on.

    Gaps are filled with silence, overlaps cropped.
    """
    now = start_seconds
    timed = ((block, block.seconds, block.duration_seconds) for block in blocks)
    for block, seconds in sound_times(timed, start_seconds):
        missing = round((seconds - now) * block.rate_hz)
        shape = (max(0, missing), block.samples.shape[1])
        silence = np.broadcast_to(np.float32(0), shape)  # takes no memory, however long
        for samples in (silence, block.samples[max(0, -missing) :]):
            for begin in range(0, len(samples), BLOCK_SAMPLES):
                part = np.ascontiguousarray(samples[begin : begin + BLOCK_SAMPLES])
                yield _Block(part, block.rate_hz, now)
                now += Fraction(len(part), block.rate_hz)


def _resampled(blocks: Iterable[_Block], target_rate_hz: int) -> Iterator[np.ndarray]:
    """Yields the sound of blocks at the target rate, float32 [S, channels] in [-1, 1] and a little beyond."""
    rate_hz = resampler = None
    num_samples, elapsed = 0, Fraction(0)
    for block in blocks:
        if block.rate_hz != rate_hz:  # at the start, and where broadcasts change it
            if resampler:
                # Every change rounds to whole samples; this keeps the roundings from adding up.
                rest = _fitted(_rest(resampler, block), round(elapsed * target_rate_hz) - num_samples)
                num_samples += len(rest)
                yield rest
            rate_hz, num_channels = block.rate_hz, block.samples.shape[1]
            resampler = rate_hz != target_rate_hz and soxr.ResampleStream(
                rate_hz, target_rate_hz, num_channels, quality=QUALITY
            )
        chunk = resampler.resample_chunk(block.samples) if resampler else block.samples
        elapsed += block.duration_seconds
        num_samples += len(chunk)
        if len(chunk):
            yield chunk
    if resampler:
        yield _rest(resampler, block)


def _rest(resampler: soxr.ResampleStream, block: _Block) -> np.ndarray:
    return resampler.resample_chunk(block.samples[:0], last=True)


def _fitted(samples: np.ndarray, length: int) -> np.ndarray:
    kept = samples[: max(0, length)]
    return np.pad(kept, ((0, max(0, length - len(kept))), (0, 0)))
