"""Defines the clips of a video: windows of frames, the target frame, and the excerpt of sound.

Frames are numbered from 1. A window is a pair (first, last), both included. A clip is 16 frame numbers.
"""

import functools
import math
from collections.abc import Sequence

import numpy as np

CLIP_FRAMES = 16
TRAINING_WINDOW_FRAMES = 90
TRAINING_WINDOW_STRIDE = 74  # 90 - 16: neighbouring windows share a clip's length
WAVEFORM_SAMPLES = 35_280  # 16 frames at 10 frames a second, 22,050 Hz
MEAN_RGB = (114.7748, 107.7354, 99.4750)  # of ActivityNet, in [0, 255]


def training_windows(num_frames: int) -> list[tuple[int, int]]:
    """Returns windows of up to 90 frames that start every 74 frames; the last may be short. A single frame has none."""
    return [
        (first, min(first + TRAINING_WINDOW_FRAMES - 1, num_frames))
        for first in range(1, num_frames, TRAINING_WINDOW_STRIDE)
    ]


def test_windows(num_frames: int) -> list[tuple[int, int]]:
    """Returns windows of up to 16 frames that start at every frame but the last: num_frames - 1, the last 14 short."""
    return [(first, min(first + CLIP_FRAMES - 1, num_frames)) for first in range(1, num_frames)]


def windows_of_still() -> list[tuple[int, int]]:
    """Returns the one window of a film of one frame, for training and scoring. The original has none."""
    return [(1, 1)]


test_windows.__test__ = False  # type: ignore[attr-defined]  # not a test of pytest


def window_frames(first: int, last: int) -> np.ndarray:
    """Returns the frame numbers of a window, int [L]. A window shorter than 16 frames is repeated from its start."""
    frames = np.arange(first, last + 1)
    return frames if len(frames) >= CLIP_FRAMES else np.resize(frames, CLIP_FRAMES)


def num_crops(num_window_frames: int) -> int:
    """Returns the number of clips of 16 consecutive frames in a window, at least 1.

    The original draws from one clip less, so it never uses the last clip of a window.
    """
    return max(1, num_window_frames - CLIP_FRAMES + 1)


def crop(frames: np.ndarray, begin: int) -> np.ndarray:
    """Returns the 16 frame numbers from position `begin`, counted from 0, of a window's frames."""
    return frames[begin : begin + CLIP_FRAMES]


def centre_crop(frames: np.ndarray) -> np.ndarray:
    """Returns the 16 frame numbers in the middle of a window's frames."""
    return crop(frames, max(0, len(frames) // 2 - CLIP_FRAMES // 2))


def target_frame(frames: Sequence[int] | np.ndarray) -> int:
    """Returns the frame whose maps a clip predicts: the median frame number, rounded half to even. 1 to 16 gives 8."""
    ordered = sorted(np.asarray(frames).tolist())  # np.median takes ten times as long
    middle = len(ordered) // 2
    return round((ordered[middle] + ordered[-1 - middle]) / 2)


@functools.lru_cache(1 << 16)  # a training asks for the same frames again and again
def sound_limits(frame: float, fps: float, rate_hz: int, num_samples: int) -> tuple[int, int]:
    """Returns the first and last sample, both included, of a frame's sound: half a frame around (frame - 1) / fps.

    The first is at least 0, the last at most `num_samples`. Past the end of the sound, the first is larger than the
    last.
    """
    # Another order of operations moves a border by one sample in 2 of 450 frames.
    middle = (frame - 1) * (1.0 / fps) * rate_hz
    half = rate_hz / fps / 2
    return int(max(0.0, middle - half)), int(min(num_samples, middle + half))


def kept_samples(begin: int, end: int) -> tuple[int, int]:
    """Returns the bounds of the samples that `waveform` keeps of samples begin..end-1: those in the middle."""
    surplus = max(0, end - begin - WAVEFORM_SAMPLES)
    return begin + surplus // 2, end - (surplus - surplus // 2)


def longest_sound(fps: float, rate_hz: int) -> int:
    """Returns an even number of samples that the sound of 16 consecutive frames never exceeds, at most 35,280."""
    return min(WAVEFORM_SAMPLES, 2 * math.ceil((CLIP_FRAMES * rate_hz / fps + 2) / 2))


def waveform(excerpt: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Returns the network's sound: the excerpt under a symmetric Hann window, centred between zeros.

    An excerpt of more than 35,280 samples is cropped to its centre; the original crashes there.

    Args:
      excerpt: float32 [S] in [-256, 256).
      out: the array to fill, float32 [L], by default a new one of 35,280. L is even and the (cropped) excerpt fits.
    """
    begin, end = kept_samples(0, len(excerpt))
    kept = excerpt[begin:end]
    if out is None:
        out = np.empty(WAVEFORM_SAMPLES, np.float32)
    begin = len(out) // 2 - len(kept) // 2  # the middle sample of an odd length is sample L / 2
    end = begin + len(kept)
    out[:begin], out[end:] = 0, 0
    np.multiply(kept, _hann(len(kept)), out=out[begin:end])
    return out


@functools.lru_cache(64)  # a film has few excerpt lengths; computing a window takes a fifth of reading a clip
def _hann(length: int) -> np.ndarray:
    return np.hanning(length).astype(np.float32)


def subtract_mean(pixels: np.ndarray) -> np.ndarray:
    """Returns RGB uint8 [..., H, W, 3] minus the ActivityNet mean, float32."""
    out = np.empty(pixels.shape, np.float32)
    # The mean is repeated along a row, because broadcasting over a last axis of 3 is ten times slower.
    rows, filled = (array.reshape(*array.shape[:-2], -1) for array in (pixels, out))
    np.subtract(rows, np.tile(np.array(MEAN_RGB, np.float32), pixels.shape[-2]), out=filled, dtype=np.float32)
    return out
