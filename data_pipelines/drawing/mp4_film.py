"""Writes MP4 films: pictures as H.264, each at its time, and sound as AAC."""

import contextlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from data_pipelines.drawing.copied_sound import CopiedSound, can_copy
from data_pipelines.drawing.sound_track import SoundTrack

CRF = 20
H264_OPTIONS = {"preset": "veryfast"}
MP4_OPTIONS = {"movflags": "+faststart"}  # a browser starts to play before it has the whole file
CLOCK_HZ = 360_000  # ticks; common frame rates, including those of NTSC, are whole numbers of ticks
MAX_DENOMINATOR = 1001  # of a frame rate: 30000/1001
# Ticks. A picture that is shown longer is written again. MP4 stores durations in 31 bits, and also the difference
# between decoding time and display time, which may span four pictures.
MAX_STILL = 1200 * CLOCK_HZ

AddPicture = Callable[..., None]  # see `_Pictures.add`


@contextlib.contextmanager
def mp4_writer(
    path: Path,
    frame_rate_hz: float,
    sound_path: Path | None = None,
    start_seconds: Fraction = Fraction(0),
    pixel_aspect: Fraction = Fraction(1),
    copy_sound: bool = False,
    crf: int = CRF,
) -> Iterator[AddPicture]:
    """Yields a function that adds a picture to an MP4 film; see `_Pictures.add`. Memory does not grow with the film.

    Args:
      path: the film to write.
      frame_rate_hz: nominal frame rate. Pictures have times of their own.
      sound_path: file to take the sound from, or None for a silent film.
      start_seconds: time of the first picture, on the clock of that file.
      pixel_aspect: width over height of the pixels, for players.
      copy_sound: whether the sound is copied as it is where MP4 can hold it, instead of being encoded again.
      crf: constant rate factor of H.264; a lower one is closer to the pictures and larger.

    Raises:
      UserError: the sound cannot be read.
    """
    rate = Fraction(frame_rate_hz).limit_denominator(MAX_DENOMINATOR)
    file = av.open(f"file:{path}", "w", format="mp4", options=MP4_OPTIONS)  # without "file:", "a:" is a protocol
    try:
        with contextlib.ExitStack() as opened:
            stream = file.add_stream("h264", rate=rate, options=H264_OPTIONS | {"crf": str(crf)})
            stream.pix_fmt = "yuv420p"
            stream.codec_context.sample_aspect_ratio = pixel_aspect
            stream.codec_context.time_base = Fraction(1, CLOCK_HZ)
            # Players would guess otherwise.
            stream.codec_context.colorspace, stream.codec_context.color_range = Colorspace.ITU709, ColorRange.MPEG
            sound: SoundTrack | CopiedSound | None = None
            if sound_path is not None:
                track = CopiedSound if copy_sound and can_copy(sound_path, start_seconds) else SoundTrack
                sound = opened.enter_context(contextlib.closing(track(file, sound_path, start_seconds)))
            pictures = _Pictures(file, stream, sound, max(1, round(CLOCK_HZ / rate)))
            yield pictures.add
            file.mux(stream.encode(None))
            if sound:
                sound.finish()
        file.close()
    finally:
        with contextlib.suppress(av.FFmpegError, OSError, ValueError):  # a film that failed cannot be completed
            file.close()


class _Pictures:
    """The pictures of a film that is being written."""

    def __init__(
        self,
        file: av.container.OutputContainer,
        stream: av.VideoStream,
        sound: SoundTrack | CopiedSound | None,
        step_ticks: int,
    ):
        self._file, self._stream, self._sound, self._step_ticks = file, stream, sound, step_ticks
        self._last: tuple[av.VideoFrame, int] | None = None  # with its time in ticks

    def add(
        self, pixels: np.ndarray, seconds: Fraction | float, duration_seconds: Fraction | float | None = None
    ) -> None:
        """Adds a picture, and the sound up to it.

        Args:
          pixels: uint8 [H, W, 3], RGB, or [H, W], grey. H and W are even and the same for all pictures.
          seconds: time since the first picture.
          duration_seconds: by default one step of the nominal frame rate.
        """
        if self._last is None:
            self._stream.height, self._stream.width = pixels.shape[:2]
        pixel_format = "gray" if pixels.ndim == 2 else "rgb24"
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=pixel_format).reformat(
            format="yuv420p",
            src_color_range=ColorRange.JPEG,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
        )
        ticks = round(seconds * CLOCK_HZ)
        frame.time_base = Fraction(1, CLOCK_HZ)
        frame.duration = self._step_ticks if duration_seconds is None else max(1, round(duration_seconds * CLOCK_HZ))
        frame.duration = min(frame.duration, MAX_STILL)
        if self._last is None:
            self._write(frame, max(ticks, 0))
            return
        last, last_ticks = self._last
        while ticks > last_ticks + MAX_STILL:
            last_ticks += MAX_STILL
            self._write(last, last_ticks)
        self._write(frame, max(ticks, last_ticks + 1))

    def _write(self, frame: av.VideoFrame, pts: int) -> None:
        frame.pts = pts
        if self._sound:
            self._sound.write_until(Fraction(pts, CLOCK_HZ))  # players read sound and pictures side by side
        self._file.mux(self._stream.encode(frame))
        self._last = frame, pts


def even(size: tuple[int, int]) -> tuple[int, int]:
    """Returns the next smaller size that H.264 supports: both sides even."""
    width, height = size
    return max(2, width // 2 * 2), max(2, height // 2 * 2)
