"""Decodes the pictures of a film file one by one, each with its time."""

import contextlib
import functools
import logging
import re
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from data_pipelines.films.clock import rising_times
from data_pipelines.films.decoding import (
    USUAL_FRAME_RATE_HZ,
    Streams,
    open_video,
    packets,
    pixel_aspect,
    seconds_of,
    tick_seconds,
    upright_picture,
)
from data_pipelines.films.source import Film, Shot
from data_pipelines.runtime.errors import UserError, reason
from data_pipelines.runtime.limits import LIKELY_FRAME_RATES_HZ

_DURATION = re.compile(r"(\d+):(\d+):(\d+(?:\.\d+)?)")
HIGH_DYNAMIC_RANGE = {16: "PQ", 18: "HLG"}  # transfer characteristics: ITU-T H.273
PACKETS_UNDER_WAY = 64  # more than a decoder holds back: 16 threads, 16 pictures to be reordered

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class EncodedFilm(Film):
    """A film file. The times of its frames count from `first_frame_seconds` on its clock."""

    first_frame_seconds: Fraction
    transfer: int  # of the first frame: how its numbers stand for brightness

    def shots(self, warn: bool = False) -> Iterator[Shot]:
        if warn and (kind := HIGH_DYNAMIC_RANGE.get(self.transfer)):
            text = (
                "%s: has a high dynamic range (%s), and is read as it is stored, with pale pictures. Convert it to SDR."
            )
            logger.warning(text, self.path, kind)
        timed = ((frame, seconds_of(frame)) for frame in _decoded(self.path, warn))
        for frame, seconds in rising_times(timed, self.first_frame_seconds, 1 / self.nominal_rate_hz):
            duration = frame.duration * frame.time_base if frame.duration and frame.time_base else None
            yield Shot(functools.partial(upright_picture, frame), seconds, duration)


def open_encoded_film(path: Path) -> EncodedFilm:
    """Reads a film's header and first picture.

    Raises:
      UserError: the file is missing, is not a film or no picture of it can be decoded.
    """
    with open_video(path) as streams:
        video = streams.video
        rate_hz = _frame_rate(video)
        num_frames = _num_frames(streams, rate_hz)
        start_seconds = (video.start_time or 0) * tick_seconds(video)
        sound_path = path if streams.audio else None
        stored_aspect = video.sample_aspect_ratio
    first = next(_decoded(path), None)
    if first is None:
        raise UserError(f"{path}: no frame could be decoded. Give a film that plays.")
    timestamp = seconds_of(first)
    if timestamp is not None:
        start_seconds = timestamp
    try:
        height, width = upright_picture(first).shape[:2]
        aspect = pixel_aspect(stored_aspect, first)
    except av.FFmpegError as error:
        raise UserError(f"{path}: its pictures cannot be read ({reason(error)}). Give another film.") from error
    return EncodedFilm(
        path=path,
        width=width,
        height=height,
        nominal_rate_hz=rate_hz,
        num_frames=num_frames,
        sound_path=sound_path,
        start_seconds=start_seconds,
        first_frame_seconds=start_seconds,
        pixel_aspect=aspect,
        transfer=int(first.color_trc),
    )


def first_picture_seconds(film: Film) -> Fraction:
    """Returns the time of a film's first picture by ffmpeg's clock, which is 0 where the file begins."""
    if not isinstance(film, EncodedFilm):
        return Fraction(0)
    with av.open(f"file:{film.path}") as container:
        start = Fraction(container.start_time or 0, av.time_base)
    return max(Fraction(0), film.first_frame_seconds - start)


def _frame_rate(video: av.VideoStream) -> Fraction:
    """Returns the header's frame rate, or the default rate if the header holds the clock's rate, such as 90000."""
    lowest, highest = LIKELY_FRAME_RATES_HZ
    for rate in (video.average_rate, video.guessed_rate):
        if rate and lowest <= rate <= highest:
            return Fraction(rate)
    return Fraction(USUAL_FRAME_RATE_HZ)


def _num_frames(streams: Streams, frame_rate_hz: Fraction) -> int | None:
    """Returns the header's number of frames, or None if the header does not state it."""
    video, container = streams.video, streams.container
    if video.frames:
        return video.frames
    if video.duration:
        return round(video.duration * tick_seconds(video) * frame_rate_hz)
    if stated := _DURATION.fullmatch(video.metadata.get("DURATION", "")):  # Matroska: the sound may be longer
        return round((int(stated[1]) * 3600 + int(stated[2]) * 60 + Fraction(stated[3])) * frame_rate_hz)
    return round(Fraction(container.duration, av.time_base) * frame_rate_hz) if container.duration else None


def _decoded(path: Path, warn: bool = False) -> Iterator[av.VideoFrame]:
    """Yields every picture that can be decoded, in the order in which they are shown."""
    # Timestamps of packets whose picture has not come out.
    under_way: deque[int | None] = deque(maxlen=PACKETS_UNDER_WAY)
    last, in_order, damaged, damaged_since = None, True, 0, 0
    with open_video(path) as streams:
        for packet in packets(path, streams.container, [streams.video]):
            if packet.pts is not None:
                under_way.append(packet.pts)
            try:
                frames = packet.decode()
            except av.FFmpegError:
                damaged_since += 1
                continue
            for frame in frames:
                in_order = in_order and frame.pts is not None and (last is None or last < frame.pts)
                last, damaged, damaged_since = frame.pts, damaged + damaged_since, 0
                if last in under_way:
                    under_way.remove(last)
                yield frame
    if under_way and in_order:
        # The decoder's threads hold back as many pictures as there are cores, and PyAV returns them only up to the
        # first damaged one. One thread decodes the end again, so that all machines return the same pictures.
        damaged_since = yield from _decoded_after(path, last)
    if warn and damaged + damaged_since:
        logger.warning("%s: %d damaged packets were left out.", path, damaged + damaged_since)


def _decoded_after(path: Path, last: int | None) -> Generator[av.VideoFrame, None, int]:
    """Yields the pictures with timestamps after `last`; returns the number of their damaged packets."""
    damaged = 0
    with open_video(path) as streams:
        streams.video.thread_type, streams.video.thread_count = "SLICE", 1
        if last is not None:
            with contextlib.suppress(av.FFmpegError):  # then it begins at the film's start
                streams.container.seek(last, stream=streams.video)
        for packet in packets(path, streams.container, [streams.video]):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                damaged += last is None or (packet.pts is not None and packet.pts > last)
                continue
            for frame in frames:
                if last is None or (frame.pts is not None and frame.pts > last):
                    yield frame
    return damaged
