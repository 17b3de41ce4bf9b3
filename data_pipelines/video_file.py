"""A user's own film: any file PyAV decodes -> frames at the network's size, and its sound as one waveform."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import soxr
from av.stream import Disposition

from data_pipelines.errors import UserError
from data_pipelines.limits import MOST_PIXELS
from data_pipelines.transforms import ResizeFilter, ResizePicture

SAMPLE_RATE_HZ = 22_050  # of the network
FULL_SCALE = 256.0  # the network's waveforms lie in [-256, 256)
LARGEST_SAMPLE = FULL_SCALE - 1 / 128  # of 16-bit PCM / 128
USUAL_FRAME_RATE_HZ = 25.0  # for files that tell neither a rate nor times

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class VideoFile:
    """A film as the network takes it.

    frames: uint8 [N, S, S, 3], RGB, upright, every decoded frame.
    waveform: float32 [num_samples] in [-256, 256), mono, starting with the first frame; None without sound.
    frame_rate_hz: the average over the film. width, height: the film's own, in pixels, upright.
    """

    frames: np.ndarray
    waveform: np.ndarray | None
    rate_hz: int
    frame_rate_hz: float
    width: int
    height: int


@dataclass(frozen=True)
class Streams:
    """An open film: its container, its first moving picture and its sound, if any."""

    path: Path
    container: av.container.InputContainer
    video: av.VideoStream
    audio: av.AudioStream | None

    def decode(self, warn: bool = True) -> Iterator[av.VideoFrame | av.AudioFrame]:
        """Yields pictures and sound in the order of the file. Damaged packets are left out; `warn` logs how many."""
        damaged = 0
        packets = self.container.demux([stream for stream in (self.video, self.audio) if stream])
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError:  # what follows cannot be told apart any more
                damaged, packet = damaged + 1, None
            if packet is None:
                break
            try:
                yield from packet.decode()
            except av.FFmpegError:
                damaged += 1
        if damaged and warn:
            logger.warning("%s: %d damaged packets were left out.", self.path, damaged)


@contextmanager
def open_video(path: Path | str) -> Iterator[Streams]:
    """Opens a film for decoding.

    Raises `UserError` if the file is missing, is not a film or holds no moving picture.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file. Give the path of a film.")
    try:
        container = av.open(str(path), metadata_errors="replace")  # titles in some older encoding
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"{path}: cannot be read as a film ({error.strerror}). Give a file that plays.") from error
    with container:
        video = next((stream for stream in container.streams.video if _is_moving_picture(stream)), None)
        if video is None or container.format.name == "tty":  # FFmpeg renders plain text as a film of a terminal
            raise UserError(f"{path}: holds no video stream. Give a film.")
        if video.codec_context.width * video.codec_context.height > MOST_PIXELS:
            size = f"{video.codec_context.width}x{video.codec_context.height}"
            raise UserError(f"{path}: its pictures have {size} pixels. Give a smaller film.")
        video.thread_type = "AUTO"
        audio = next((stream for stream in container.streams.audio if stream.codec_context), None)
        yield Streams(path, container, video, audio)


def upright_picture(frame: av.VideoFrame) -> np.ndarray:
    """Returns uint8 [H, W, 3], RGB, turned as a player shows it (phones store the turn as metadata)."""
    picture = frame.to_ndarray(format="rgb24")
    return np.rot90(picture, round(frame.rotation / 90))  # both count counter-clockwise


def read_video_file(
    path: Path | str,
    size: int = 112,
    resize_filter: ResizeFilter = "bicubic",
    advance: Callable[[int], object] = lambda num_frames: None,
) -> VideoFile:
    """Decodes a film; only frames of the network's size are kept in memory.

    `size` is the network's S in pixels; `resize_filter` ("bicubic" or "nearest") is that of the step to 320x240;
    `advance(1)` is called after every frame. Raises `UserError` if the file is not a film or holds no frame.
    """
    resize = ResizePicture(size, resize_filter)
    frames, times, chunks = [], [], []
    sound_start = shape = None
    with open_video(path) as streams:
        for frame in streams.decode():
            if isinstance(frame, av.AudioFrame):
                sound_start = _time(frame) if sound_start is None else sound_start
                chunks.append(_mono(frame))
                continue
            picture = upright_picture(frame)
            shape = shape or picture.shape[:2]  # the first picture's, though broadcasts may change it
            frames.append(resize(picture))
            times.append(_time(frame))
            advance(1)
        if not frames:
            raise UserError(f"{path}: no frame could be decoded. Give a film that plays.")
        frame_rate_hz = _average_frame_rate(times, streams.video)
        rate_hz = streams.audio.rate if chunks else None

    waveform = None
    if chunks:
        late_seconds = (sound_start or 0) - (times[0] or 0)
        sound = _start_with_picture(np.concatenate(chunks), late_seconds, len(frames) / frame_rate_hz, rate_hz)
        waveform = resample(sound, rate_hz) * FULL_SCALE
        waveform = np.clip(waveform, -FULL_SCALE, LARGEST_SAMPLE, dtype=np.float32)
    else:
        logger.warning("%s: no sound in this film; it is taken as silent.", path)
    height, width = shape
    return VideoFile(np.stack(frames), waveform, SAMPLE_RATE_HZ, frame_rate_hz, width, height)


def resample(waveform: np.ndarray, rate_hz: float) -> np.ndarray:
    """Returns a mono waveform [num_samples] of `rate_hz` at the network's 22,050 Hz, float32."""
    waveform = np.asarray(waveform, np.float32)
    if rate_hz == SAMPLE_RATE_HZ:
        return waveform
    return soxr.resample(waveform, rate_hz, SAMPLE_RATE_HZ, quality="HQ")


def _is_moving_picture(stream: av.VideoStream) -> bool:
    cover = Disposition.attached_pic  # the picture on a music file
    return stream.codec_context is not None and not stream.disposition & cover


def _time(frame: av.VideoFrame | av.AudioFrame) -> Fraction | None:
    """Seconds on the film's clock; exact, so that a rate of 25 Hz stays 25."""
    return None if frame.pts is None else frame.pts * frame.time_base


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


def _start_with_picture(sound: np.ndarray, late_seconds: Fraction, duration_seconds: float, rate_hz: int) -> np.ndarray:
    """Pads (late) or crops (early) a sound's start so that sample 0 sounds with the first frame."""
    shift = round(min(late_seconds, duration_seconds) * rate_hz)
    return np.pad(sound, (shift, 0)) if shift >= 0 else sound[-shift:]


def _average_frame_rate(times: list[Fraction | None], stream: av.VideoStream) -> float:
    """Frames a second, from the frames' own times if these only rise, else from the header."""
    if len(times) > 1 and None not in times and all(a < b for a, b in pairwise(times)):
        return float((len(times) - 1) / (times[-1] - times[0]))
    return float(stream.average_rate or stream.guessed_rate or USUAL_FRAME_RATE_HZ)
