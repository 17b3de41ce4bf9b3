"""Opens a live source: a camera, the address of a stream, or a film file that is played in real time."""

import contextlib
import errno
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import av
from av.stream import Disposition

from data_pipelines.films.decoding import ANY_ENCODING, open_video
from data_pipelines.runtime.errors import UserError, reason
from data_pipelines.runtime.limits import MOST_PIXELS

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_CAMERA = re.compile(r"/dev/video\d+")
DEVICE_FORMAT = "v4l2"
DOWNLOADS = ("http", "https")  # schemes of which a server sends a film as fast as it can
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
        return bool(_CAMERA.fullmatch(self.name))

    @property
    def is_file(self) -> bool:
        return not self.is_camera and not _URL.match(self.name)

    @property
    def _is_download(self) -> bool:
        return urlsplit(self.name).scheme.lower() in DOWNLOADS

    @property
    def shown_name(self) -> str:
        """The name without the user and the password that a URL may hold."""
        return re.sub(r"(?<=://)[^/]*@", "", self.name)

    def check(self) -> None:
        """Raises UserError if the source is a path of no device or file, or if options are given for a file."""
        if not _URL.match(self.name) and (not Path(self.name).exists() or Path(self.name).is_dir()):
            fault = "is a folder" if Path(self.name).is_dir() else "no such device or file"
            advice = "Give a camera such as /dev/video0, a URL such as rtsp://host/path, or a film file."
            raise UserError(f"{self.shown_name}: {fault}. {advice}")
        if self.is_file and self.options:
            raise UserError("--option: film files take no options. Give it with a camera or a URL only.")

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
        options = {"fflags": "nobuffer", **self.options}  # leaves out what is read before the format is known
        with self._faults():
            container = av.open(
                self.name,
                format=DEVICE_FORMAT if self.is_camera else None,
                container_options=options,
                timeout=(self.timeout_seconds, self.timeout_seconds),
                **ANY_ENCODING,
            )
        with container:
            video = container.streams.best("video")
            if not isinstance(video, av.VideoStream) or video.disposition & Disposition.attached_pic:
                raise BrokenSource("it has no moving pictures")
            video.thread_type = "SLICE"  # threads that take a frame each would delay every frame
            yield OpenSource(container, video, is_recording=self._is_download and bool(container.duration))

    def packets(self, opened: "OpenSource") -> Iterator[av.Packet]:
        """Yields the packets of the pictures. Raises BrokenSource if the source breaks off."""
        with self._faults(), contextlib.suppress(IndexError):  # PyAV raises it where another stream appears midway
            try:
                yield from opened.container.demux(opened.video)
            except av.FFmpegError as error:
                # FFmpeg says so of any answer by HTTP that states no length and ends.
                if error.errno != errno.EIO or not self._is_download:
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


def decoded(packet: av.Packet) -> list[av.VideoFrame]:
    """Returns the pictures of a packet; none if it is damaged. Raises UserError if they are too large."""
    try:
        frames = packet.decode()
    except av.FFmpegError:
        return []
    for frame in frames:
        if isinstance(frame, av.VideoFrame) and frame.width * frame.height > MOST_PIXELS:
            raise UserError(f"its pictures have {frame.width}x{frame.height} pixels. Give a smaller source.")
    return [frame for frame in frames if isinstance(frame, av.VideoFrame)]
