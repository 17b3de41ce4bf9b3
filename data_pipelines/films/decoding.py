"""A film file, opened for decoding: any file with moving pictures that FFmpeg reads."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

from data_pipelines.runtime.errors import UserError, reason
from data_pipelines.runtime.limits import MOST_PIXELS

USUAL_FRAME_RATE_HZ = 25.0  # for files that tell neither a rate nor times
DECODER_THREADS = 0  # as many as there are cores
# Titles and the like may be in any encoding; PyAV 19 takes them as they come, and no longer takes the word.
ANY_ENCODING = {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}

logger = logging.getLogger(__name__)


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
        for packet in packets(self.path, self.container, [stream for stream in (self.video, self.audio) if stream]):
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
    with open_container(path) as container:
        if _is_picture_format(container.format.name):
            raise UserError(f"{path}: is a single picture. Give a film, or the folder of a film's pictures.")
        video = next((stream for stream in container.streams.video if is_moving_picture(stream)), None)
        if video is None or container.format.name == "tty":  # FFmpeg renders plain text as a film of a terminal
            raise UserError(f"{path}: holds no video stream. Give a film.")
        if video.codec_context.width * video.codec_context.height > MOST_PIXELS:
            size = f"{video.codec_context.width}x{video.codec_context.height}"
            raise UserError(f"{path}: its pictures have {size} pixels. Give a smaller film.")
        video.thread_type = "AUTO"
        video.thread_count = DECODER_THREADS
        audio = next((stream for stream in container.streams.audio if stream.codec_context), None)
        yield Streams(Path(path), container, video, audio)


@contextmanager
def open_container(path: Path | str, kind: str = "a film") -> Iterator[av.container.InputContainer]:
    """Opens a film or a sound; `kind` says which in messages.

    Raises `UserError` if the file is missing, empty or of no kind FFmpeg reads.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise UserError(f"{path}: no such file. Give the path of {kind}.")
        if not path.stat().st_size:
            raise UserError(f"{path}: is empty. Give {kind}.")
        container = av.open(f"file:{path}", **ANY_ENCODING)  # without "file:", a:b.mp4 would be a protocol
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"{path}: cannot be read as {kind} ({reason(error)}). Give a file that plays.") from error
    with container:
        yield container


def packets(path: Path, container: av.container.InputContainer, streams: list[av.stream.Stream]) -> Iterator[av.Packet]:
    """Yields the packets of some streams, last an empty one of each; of the others as little is read as the format
    allows. A file that cannot be read to its end gives what there is, with a warning.
    """
    for stream in container.streams:
        if stream not in streams and hasattr(stream, "discard"):  # PyAV has it since 18
            stream.discard = av.stream.Discard.all
    try:
        yield from container.demux(streams)
    except IndexError:
        pass  # PyAV's, at the end of files in which a stream appears midway; ours have had their last packets
    except av.FFmpegError as error:
        logger.warning("%s: reading ended early (%s).", path, error.strerror)
        for stream in streams:
            last = av.Packet()
            last.stream, last.time_base = stream, stream.time_base
            yield last


def upright_picture(frame: av.VideoFrame) -> np.ndarray:
    """Returns uint8 [H, W, 3], RGB, turned as a player shows it (phones store the turn as metadata)."""
    picture = frame.to_ndarray(format="rgb24")
    return np.rot90(picture, round(frame.rotation / 90))  # both count counter-clockwise


def seconds_of(frame: av.VideoFrame | av.AudioFrame) -> Fraction | None:
    """The frame's timestamp on the film's clock; exact, so that a rate of 25 Hz stays 25."""
    return None if frame.pts is None else frame.pts * frame.time_base


def is_moving_picture(stream: av.VideoStream) -> bool:
    cover = Disposition.attached_pic  # the picture on a music file
    return stream.codec_context is not None and not stream.disposition & cover


def _is_picture_format(name: str) -> bool:
    return name == "image2" or name.endswith("_pipe")
