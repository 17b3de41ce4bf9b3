"""Opens a live source: a camera, the address of a stream, or a film file that is played in real time."""

import contextlib
import errno
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import av
from av.stream import Disposition

from data_pipelines.films.decoding import ANY_ENCODING, open_video
from data_pipelines.films.frame_folder import PICTURE_SUFFIXES
from data_pipelines.runtime.errors import UserError, reason
from data_pipelines.runtime.limits import MOST_PIXELS

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_CAMERA = re.compile(r"/dev/video\d+")
DEVICE_FORMAT = "v4l2"
DOWNLOADS = ("http", "https")
RECORDING_SCHEMES = (*DOWNLOADS, "file", "ftp", "sftp")  # a film comes as fast as it can be read
READER_OPTIONS = {
    "fpsprobesize": "0",  # by default, FFmpeg reads many frames to estimate the frame rate, and nothing needs it
    "overrun_nonfatal": "1",  # packets of UDP that are not read in time are lost, and the stream goes on
}
TIMEOUT_SECONDS = 10.0


class BrokenSource(Exception):  # noqa: N818, it may come back
    """A source could not be opened, or broke off. The message is the reason."""


@dataclass(frozen=True)
class LiveSource:
    """A source of pictures.

    Attributes:
      name: device such as /dev/video0, URL that FFmpeg opens, or path of a film file.
      options: options of FFmpeg's reader, such as {"video_size": "640x480"}.
      timeout_seconds: longest wait for an answer or for the next data.
    """

    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: float = TIMEOUT_SECONDS

    @property
    def is_camera(self) -> bool:
        """Whether it is a device, or a link to one, as in /dev/v4l/by-id."""
        return not _URL.match(self.name) and bool(_CAMERA.fullmatch(os.path.realpath(self.name)))

    @property
    def is_file(self) -> bool:
        return not self.is_camera and not _URL.match(self.name)

    @property
    def _scheme(self) -> str:
        return self.name.partition(":")[0].lower()

    @property
    def shown_name(self) -> str:
        """The name without the user and the password that a URL may hold."""
        return re.sub(r"(?<=://)[^/]*@", "", self.name)

    def check(self) -> None:
        """Reports what is wrong before the source is opened. A camera or stream is not opened for this.

        Raises:
          UserError: the source is a path and nothing is there, it is a file that holds no film, or options are given
            for a file.
        """
        path = Path(self.name)
        advice = "Give a camera such as /dev/video0, a URL such as rtsp://host/path, or a film file."
        if not _URL.match(self.name) and not path.exists():
            raise UserError(f"{self.name}: no such device or file. {advice}")
        if not self.is_file:
            return
        if path.is_dir() or path.suffix.lower() in PICTURE_SUFFIXES:
            raise UserError(f"{self.name}: is a {'folder' if path.is_dir() else 'picture'}. {advice}")
        if self.options:
            raise UserError("--option: film files take no options. Give it with a camera or a URL only.")
        with open_video(self.name):
            pass

    @contextlib.contextmanager
    def open(self) -> Iterator["OpenSource"]:
        """Opens the source.

        Raises:
          BrokenSource: it cannot be opened now.
          UserError: it is a file that holds no film, or its pictures are too large.
        """
        if self.is_file:
            with open_video(self.name) as streams:
                yield OpenSource(streams.container, streams.video, is_recording=True)
            return
        with self._faults():
            container = av.open(
                self.name,
                format=DEVICE_FORMAT if self.is_camera else None,
                container_options=READER_OPTIONS | dict(self.options),
                timeout=(self.timeout_seconds, self.timeout_seconds),
                **ANY_ENCODING,
            )
        with container:
            video = container.streams.best("video")
            if not isinstance(video, av.VideoStream) or video.disposition & Disposition.attached_pic:
                raise BrokenSource("it has no moving pictures")
            if video.codec_context is None:
                raise BrokenSource("FFmpeg does not know the format of its pictures")
            video.thread_type = "SLICE"  # threads that take a frame each would delay every frame
            is_recording = self._scheme in RECORDING_SCHEMES and bool(container.duration)
            yield OpenSource(container, video, is_recording)

    def packets(self, opened: "OpenSource") -> Iterator[av.Packet]:
        """Yields the packets of all streams, the sound's too. Raises BrokenSource if the source breaks off."""
        with self._faults(), contextlib.suppress(IndexError):  # PyAV raises it where another stream appears midway
            try:
                yield from opened.container.demux()
            except av.FFmpegError as error:
                # FFmpeg says so of any answer by HTTP that states no length and ends.
                if error.errno != errno.EIO or self._scheme not in DOWNLOADS:
                    raise

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except av.ExitError as error:
            raise BrokenSource(f"no data for {self.timeout_seconds:g} s") from error
        except (av.FFmpegError, OSError, ValueError) as error:
            raise BrokenSource(reason(error)) from error


@dataclass(frozen=True)
class OpenSource:
    """An open source. `is_recording`: it ends, and is read faster than it plays."""

    container: av.container.InputContainer
    video: av.VideoStream
    is_recording: bool

    def decoded(self, packet: av.Packet) -> list[av.VideoFrame]:
        """Returns the pictures of a packet; none if it is damaged or holds something else.

        Raises UserError if they are too large.
        """
        if packet.stream_index != self.video.index:
            return []
        try:
            frames = [frame for frame in packet.decode() if isinstance(frame, av.VideoFrame)]
        except av.FFmpegError:
            return []
        for frame in frames:
            if frame.width * frame.height > MOST_PIXELS:
                raise UserError(f"its pictures have {frame.width}x{frame.height} pixels. Give a smaller source.")
        return frames
