"""Writes films: pictures as H.264, each at its time, and sound as AAC, in MP4."""

import contextlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from stavis_jax.outputs.sound_track import SoundTrack

H264_OPTIONS = {"crf": "20", "preset": "veryfast"}
MP4_OPTIONS = {"movflags": "+faststart"}  # a browser begins to play before it has all
CLOCK_HZ = 360_000  # the usual frame rates, those of NTSC among them, are whole numbers of ticks
LARGEST_DENOMINATOR = 1001  # of a frame rate: 30000/1001
# Ticks. A picture shown longer is written again: MP4 has 31 bits for how long it is shown, and for how far decoding it
# and showing it are apart, which may be four pictures.
LONGEST_STILL = 1200 * CLOCK_HZ


class FilmWriter:
    """An MP4 file in the making. What is given is written as it comes, so that memory does not grow.

    The sound of `sound_path`, if given, goes along; `start_seconds` is the first picture's time on its clock.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        frame_rate_hz: float,
        sound_path: Path | None = None,
        start_seconds: Fraction = Fraction(0),
    ):
        """`size`: (width, height) in pixels, both even. Raises `UserError` if the sound cannot be read."""
        rate = Fraction(frame_rate_hz).limit_denominator(LARGEST_DENOMINATOR)
        self._step = max(1, round(CLOCK_HZ / rate))
        self._last: av.VideoFrame | None = None
        self._finished = False
        # Without "file:", a:b/overlay.mp4 would be a protocol.
        self._file = av.open(f"file:{path}", "w", format="mp4", options=MP4_OPTIONS)
        self._sound = None
        try:
            self._pictures = self._file.add_stream("h264", rate=rate, options=H264_OPTIONS)
            self._pictures.width, self._pictures.height = size
            self._pictures.pix_fmt = "yuv420p"
            context = self._pictures.codec_context
            context.time_base = Fraction(1, CLOCK_HZ)
            context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG  # else players guess
            if sound_path is not None:
                self._sound = SoundTrack(self._file, sound_path, start_seconds)
        except BaseException:
            self.close()
            raise

    def add(
        self, pixels: np.ndarray, seconds: Fraction | float, duration_seconds: Fraction | float | None = None
    ) -> None:
        """Adds a picture, uint8 [H, W, 3] RGB or [H, W] grey, and the sound up to it. Times are since the first."""
        pixel_format = "gray" if pixels.ndim == 2 else "rgb24"
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=pixel_format).reformat(
            format="yuv420p",
            src_color_range=ColorRange.JPEG,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
        )
        ticks = round(seconds * CLOCK_HZ)
        frame.time_base = Fraction(1, CLOCK_HZ)
        frame.duration = self._step if duration_seconds is None else max(1, round(duration_seconds * CLOCK_HZ))
        frame.duration = min(frame.duration, LONGEST_STILL)
        if self._last is None:
            self._write(frame, max(ticks, 0))
            return
        while ticks > self._last.pts + LONGEST_STILL:
            self._write(self._last, self._last.pts + LONGEST_STILL)
        self._write(frame, max(ticks, self._last.pts + 1))

    def _write(self, frame: av.VideoFrame, pts: int) -> None:
        frame.pts = pts
        if self._sound:
            self._sound.write_until(Fraction(pts, CLOCK_HZ))  # side by side in the file, as players read it
        self._file.mux(self._pictures.encode(frame))
        self._last = frame

    def finish(self) -> None:
        """Writes what is left, all of the sound too."""
        self._file.mux(self._pictures.encode(None))
        if self._sound:
            self._sound.finish()
        self._finished = True
        self._file.close()
        self.close()

    def close(self) -> None:
        """Lets go of the files. Without `finish` before, the film is not complete."""
        if self._sound:
            self._sound.close()
        if not self._finished:
            self._finished = True
            with contextlib.suppress(av.FFmpegError, OSError, ValueError):  # half a film need not be closed well
                self._file.close()


def even(size: tuple[int, int]) -> tuple[int, int]:
    """The next smaller size that H.264 can have: both sides even."""
    width, height = size
    return max(2, width // 2 * 2), max(2, height // 2 * 2)
