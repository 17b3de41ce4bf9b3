"""Opens film and sound files for decoding: any file that FFmpeg reads."""

import contextlib
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Disposition
from PIL import Image

from data_pipelines.runtime.errors import UserError, reason
from data_pipelines.runtime.limits import MOST_PIXELS

USUAL_FRAME_RATE_HZ = 25.0  # for files that state neither a rate nor times
LARGEST_ASPECT = Fraction(4)  # of pixels; those of HDV, DVDs and anamorphic lenses are less than 2
SLANT_DEGREES = 1  # a turn that is closer to a quarter turn is one
PACKETS_TO_TELL_A_STILL = 50  # a track of one picture among so many of another is a still
DECODER_THREADS = 0  # as many as there are cores
# Titles may be in any encoding. PyAV 19 accepts them as they are and has no such option.
ANY_ENCODING: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Streams:
    """An open film: its container, its stream of moving pictures and its sound, if any."""

    container: av.container.InputContainer
    video: av.VideoStream
    audio: av.AudioStream | None


@contextlib.contextmanager
def open_video(path: Path | str) -> Iterator[Streams]:
    """Opens a film. Raises UserError if the file is missing, is not a film or holds no moving pictures."""
    with open_container(path) as container:
        if _is_picture_format(container.format.name):
            raise UserError(f"{path}: is a single picture. Give a film, or the folder of a film's pictures.")
        video = _film_stream(path, container)
        if video is None or container.format.name == "tty":  # FFmpeg renders plain text as a film of a terminal
            raise UserError(f"{path}: holds no video stream. Give a film.")
        if video.codec_context.width * video.codec_context.height > MOST_PIXELS:
            size = f"{video.codec_context.width}x{video.codec_context.height}"
            raise UserError(f"{path}: its pictures have {size} pixels. Give a smaller film.")
        video.thread_type = "AUTO"
        video.thread_count = DECODER_THREADS
        yield Streams(container, video, sound_stream(container))


@contextlib.contextmanager
def open_container(path: Path | str, kind: str = "a film") -> Iterator[av.container.InputContainer]:
    """Opens a film or a sound; `kind` names it in messages.

    Raises:
      UserError: the file is missing or empty, or FFmpeg cannot read it.
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
    """Yields the packets of some streams, and at the end an empty packet for each of these streams.

    Other streams are skipped where the format allows it. If a file cannot be read to its end, a warning says so, and
    the packets before the fault are yielded.
    """
    for stream in container.streams:
        if stream not in streams and hasattr(stream, "discard"):  # PyAV has it since 18
            stream.discard = av.stream.Discard.all
    try:
        yield from container.demux(streams)
    except IndexError:
        pass  # raised by PyAV at the end of files in which another stream appears midway
    except av.FFmpegError as error:
        logger.warning("%s: reading ended early (%s).", path, error.strerror)
        for stream in streams:
            last = av.Packet()
            last.stream, last.time_base = stream, tick_seconds(stream)
            yield last


def upright_picture(frame: av.VideoFrame) -> np.ndarray:
    """Returns uint8 [H, W, 3], RGB, turned and mirrored as a player shows it. Phones store both as metadata."""
    picture = frame.to_ndarray(format="rgb24")
    side_data: Any = frame.side_data  # takes a type as a key, and its stub does not say so
    matrix = side_data.get(SideDataType.DISPLAYMATRIX)
    return picture if matrix is None else _displayed(picture, *np.frombuffer(matrix, np.int32)[[0, 1, 3, 4]].tolist())


def pixel_aspect(stored: Fraction | None, frame: av.VideoFrame) -> Fraction:
    """Returns the width over the height of a film's upright pixels, as a player shows them; 1 if it is unlikely.

    `stored`: the same, before they are turned.
    """
    aspect = stored or Fraction(1)
    if not LARGEST_ASPECT**-1 <= aspect <= LARGEST_ASPECT:
        return Fraction(1)
    matrix = cast(Any, frame.side_data).get(SideDataType.DISPLAYMATRIX)
    a, b = (1, 0) if matrix is None else np.frombuffer(matrix, np.int32)[[0, 1]].tolist()
    return aspect if abs(a) >= abs(b) else 1 / aspect


def _displayed(picture: np.ndarray, a: int, b: int, c: int, d: int) -> np.ndarray:
    """Returns a picture [H, W, 3] whose point (x, y) is shown at (ax + cy, bx + dy), as FFmpeg shows it.

    Turns other than quarter turns keep the size of the picture, and fill what they uncover with black.
    """
    degrees = math.degrees(math.atan2(b, a))  # clockwise
    quarters = round(degrees / 90)
    if abs(degrees - 90 * quarters) > SLANT_DEGREES:
        return np.asarray(Image.fromarray(picture).rotate(-degrees, Image.Resampling.BILINEAR))
    if quarters % 2:
        picture, a, d = picture.swapaxes(0, 1), c, b
    return picture[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def sound_stream(container: av.container.InputContainer) -> av.AudioStream | None:
    """Returns the sound that a player chooses: the first one that is marked as default, else the first one."""
    streams = [stream for stream in container.streams.audio if stream.codec_context]
    return max(streams, key=_is_default, default=None)  # of equals, the first


def seconds_of(frame: av.VideoFrame | av.AudioFrame) -> Fraction | None:
    """Returns the frame's timestamp on the film's clock, exact, or None if it has none."""
    return None if frame.pts is None or frame.time_base is None else frame.pts * frame.time_base


def tick_seconds(stream: av.stream.Stream) -> Fraction:
    """Returns the unit of the stream's timestamps."""
    return stream.time_base or Fraction(1, av.time_base)


def has_moving_pictures(container: av.container.InputContainer) -> bool:
    """Returns whether a file is more than a sound, with or without a cover picture."""
    return any(map(_is_film, container.streams.video))


def _film_stream(path: Path | str, container: av.container.InputContainer) -> av.VideoStream | None:
    """Returns the first stream of moving pictures that is marked as default, else the first one that moves."""
    streams = list(filter(_is_film, container.streams.video))
    moving = _moving(path, [stream.index for stream in streams]) if len(streams) > 1 else ()
    return max(streams, key=lambda stream: (stream.index in moving, _is_default(stream)), default=None)


def _moving(path: Path | str, indices: list[int]) -> set[int]:
    """Returns which streams hold more than a single picture, from the beginning of the file."""
    counts = dict.fromkeys(indices, 0)
    with open_container(path) as container, contextlib.suppress(av.FFmpegError, IndexError):
        for packet in container.demux([container.streams[index] for index in indices]):
            counts[packet.stream_index] += bool(packet.size)
            if max(counts.values()) == PACKETS_TO_TELL_A_STILL:
                break
    return {index for index, count in counts.items() if count > 1}


def _is_default(stream: av.stream.Stream) -> bool:
    return bool(stream.disposition & Disposition.default)


def _is_film(stream: av.VideoStream) -> bool:
    """Returns whether a stream is more than the cover picture of a music file."""
    return stream.codec_context is not None and not stream.disposition & Disposition.attached_pic


def _is_picture_format(name: str) -> bool:
    return name == "image2" or name.endswith("_pipe")
