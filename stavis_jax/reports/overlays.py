"""Saliency maps over the film: heat that grows with saliency, the film's own picture where there is none."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import matplotlib
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

from data_pipelines.errors import UserError
from data_pipelines.video_file import open_video, upright_picture
from stavis_jax.reports.maps import saliency_picture

COLORMAP = "inferno"
GOOD_COLORMAPS = (COLORMAP, "magma", "viridis", "turbo", "hot", "jet")
H264_OPTIONS = {"crf": "20", "preset": "veryfast"}
AAC_RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
OPACITY = 0.75  # share of the heat at the most salient pixel


def blend(picture: np.ndarray, saliency: np.ndarray, colormap: str = COLORMAP, opacity: float = OPACITY) -> np.ndarray:
    """Lays heat over a picture: uint8 RGB [H, W, 3] and 8-bit saliency [H, W] -> uint8 [H, W, 3].

    The heat's share grows from 0 where saliency is 0 to `opacity` where it is 255.
    """
    level = Image.fromarray(saliency)
    share = level.point([round(opacity * value) for value in range(256)])
    heat = level.copy()
    heat.putpalette(_heat_colours(colormap))
    return np.asarray(Image.composite(heat.convert("RGB"), Image.fromarray(picture), share))


def check_colormap(name: str) -> None:
    """Raises `UserError` unless matplotlib has a colormap of that name."""
    if name not in matplotlib.colormaps:
        raise UserError(f"--colormap {name}: matplotlib has none of that name. Good ones: {', '.join(GOOD_COLORMAPS)}.")


def write_overlay(
    film: Path | str,
    saliency_maps: Sequence[np.ndarray],
    output: Path,
    advance: Callable[[int], object] = lambda num_frames: None,
) -> None:
    """Writes the film with its maps N x [h, w] laid over it, as H.264 with the film's sound as AAC.

    The film is decoded again, frame by frame, so its pictures are never all in memory. Pictures and sound keep
    their times. An odd width or height shrinks by one pixel, as H.264 needs even ones. `advance(1)` is called after
    every frame. Raises `UserError` if the film cannot be read.
    """
    height, width = _upright_shape(film)
    with open_video(film) as streams, av.open(str(output), "w", format="mp4") as target:
        start_seconds = Fraction(streams.container.start_time or 0, av.time_base)
        pictures = _PictureTrack(target, streams.video, (width // 2 * 2, height // 2 * 2), start_seconds)
        sound = _SoundTrack(target, streams.audio, start_seconds) if streams.audio else None
        number = 0
        for frame in streams.decode(warn=False):
            if isinstance(frame, av.AudioFrame):
                sound.add(frame)
                continue
            picture = upright_picture(frame)
            saliency_map = saliency_maps[min(number, len(saliency_maps) - 1)]  # damaged films may decode unevenly
            saliency = saliency_picture(saliency_map, picture.shape[1::-1])
            pictures.add(blend(picture, saliency), frame)
            number += 1
            advance(1)
        pictures.finish()
        if sound:
            sound.finish()


class _PictureTrack:
    """The overlay's pictures, each at its time in the film."""

    def __init__(
        self, target: av.container.OutputContainer, source: av.VideoStream, size: tuple[int, int], start: Fraction
    ):
        rate = source.average_rate or source.guessed_rate or Fraction(25)
        self.target, self.start = target, start
        self.stream = target.add_stream("h264", rate=rate, options=H264_OPTIONS)
        self.stream.width, self.stream.height = size
        self.stream.pix_fmt = "yuv420p"
        context = self.stream.codec_context
        context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG  # else players guess
        self.time_base = context.time_base = source.time_base
        self.step = max(1, round(1 / (rate * self.time_base)))
        self.last_pts = -self.step

    def add(self, picture: np.ndarray, source: av.VideoFrame) -> None:
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame = frame.reformat(
            self.stream.width,  # even, and the first picture's, though broadcasts may change it
            self.stream.height,
            "yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
        )
        pts = self.last_pts + self.step
        if source.pts is not None:
            film_pts = round((source.pts * source.time_base - self.start) / self.time_base)
            pts = film_pts if film_pts > self.last_pts else pts  # joined films may start their clock again
        frame.pts, frame.time_base, frame.duration = pts, self.time_base, source.duration or self.step
        self.last_pts = pts
        self.target.mux(self.stream.encode(frame))

    def finish(self) -> None:
        self.target.mux(self.stream.encode(None))


class _SoundTrack:
    """The film's sound without gaps, starting at its time in the film; more than two channels become stereo."""

    def __init__(self, target: av.container.OutputContainer, source: av.AudioStream, start: Fraction):
        self.target, self.start = target, start
        self.rate_hz = source.rate if source.rate in AAC_RATES_HZ else 48000
        self.layout = "mono" if source.layout.nb_channels == 1 else "stereo"
        self.stream = target.add_stream("aac", rate=self.rate_hz, layout=self.layout)
        self.source_format = self.resampler = self.next_pts = None

    def add(self, source: av.AudioFrame) -> None:
        if self.next_pts is None:
            seconds = self.start if source.pts is None else source.pts * source.time_base
            self.next_pts = max(0, round((seconds - self.start) * self.rate_hz))
        source_format = (source.format.name, source.layout.name, source.rate)
        if source_format != self.source_format:  # at the start, and where broadcasts change it
            self._encode(None)
            self.source_format = source_format
            self.resampler = av.AudioResampler("fltp", self.layout, self.rate_hz)
        source.pts = None
        self._encode(source)

    def finish(self) -> None:
        self._encode(None)
        self.target.mux(self.stream.encode(None))

    def _encode(self, source: av.AudioFrame | None) -> None:
        """Encodes a frame, or with None what the resampler still holds."""
        for frame in self.resampler.resample(source) if self.resampler else ():
            frame.pts, frame.time_base = self.next_pts, Fraction(1, self.rate_hz)
            self.next_pts += frame.samples
            self.target.mux(self.stream.encode(frame))


def _upright_shape(film: Path | str) -> tuple[int, int]:
    with open_video(film) as streams:
        first = next(frame for frame in streams.decode() if isinstance(frame, av.VideoFrame))
        return upright_picture(first).shape[:2]


@cache
def _heat_colours(colormap: str) -> bytes:
    """The colour of each of the 256 levels of saliency, R, G, B."""
    levels = np.linspace(0, 1, 256)
    return matplotlib.colormaps[colormap](levels, bytes=True)[:, :3].tobytes()
