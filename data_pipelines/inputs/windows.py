"""Which clips a video gives: windows, target frame, and the excerpt of sound in samples. Numbers only, no files.

Frames are numbered from 1. A window is a pair (first, last), both included. A clip is 16 frame numbers.
"""

import functools
from collections.abc import Sequence

import numpy as np

CLIP_FRAMES = 16
TRAINING_WINDOW_FRAMES = 90
TRAINING_WINDOW_STRIDE = 74  # 90 - 16: neighbouring windows share a clip's length
WAVEFORM_SAMPLES = 35_280  # 16 frames at 10 frames a second, 22,050 Hz
MEAN_RGB = (114.7748, 107.7354, 99.4750)  # of ActivityNet, on 0 to 255


def training_windows(num_frames: int) -> list[tuple[int, int]]:
    """Windows of up to 90 frames that start every 74; the last one may be short. None for a single frame."""
    return [
        (first, min(first + TRAINING_WINDOW_FRAMES - 1, num_frames))
        for first in range(1, num_frames, TRAINING_WINDOW_STRIDE)
    ]


def test_windows(num_frames: int) -> list[tuple[int, int]]:
    """A window of up to 16 frames at every start but the last frame: num_frames - 1 windows, the last 14 short."""
    return [(first, min(first + CLIP_FRAMES - 1, num_frames)) for first in range(1, num_frames)]


test_windows.__test__ = False  # pytest: not a test, whoever imports it


def window_frames(first: int, last: int) -> np.ndarray:
    """The window's frame numbers, int [L], filled to 16 by repeating the window from its start if it is shorter."""
    frames = np.arange(first, last + 1)
    return frames if len(frames) >= CLIP_FRAMES else np.resize(frames, CLIP_FRAMES)


def num_crops(num_window_frames: int) -> int:
    """How many clips of 16 consecutive frames a window holds; 1 if it is not longer than a clip.

    The original draws from one less: the last clip of a window is never seen.
    """
    return max(1, num_window_frames - CLIP_FRAMES + 1)


def crop(frames: np.ndarray, begin: int) -> np.ndarray:
    """The 16 frame numbers from position `begin` (from 0) of a window's frames."""
    return frames[begin : begin + CLIP_FRAMES]


def centre_crop(frames: np.ndarray) -> np.ndarray:
    """The 16 frame numbers in the middle of a window's frames."""
    return crop(frames, max(0, len(frames) // 2 - CLIP_FRAMES // 2))


def target_frame(frames: Sequence[int] | np.ndarray) -> int:
    """The frame whose maps a clip predicts: the median frame number, rounded half to even. 1-16 gives 8."""
    return round(float(np.median(frames)))


def sound_limits(frame: int, fps: float, rate_hz: int, num_samples: int) -> tuple[int, int]:
    """First and last sample (included) of a frame's sound: half a frame around its time (frame - 1) / fps.

    The first is at least 0, the last at most `num_samples`; past the end of the sound, first > last.
    """
    # In this order of operations: another one puts a border elsewhere by one sample, in 2 frames of 450.
    middle = (frame - 1) * (1.0 / fps) * rate_hz
    half = rate_hz / fps / 2
    return int(max(0.0, middle - half)), int(min(num_samples, middle + half))


def kept_samples(begin: int, end: int) -> tuple[int, int]:
    """Of an excerpt's samples begin..end-1 those that `waveform` keeps: all, or a buffer full from the middle."""
    surplus = max(0, end - begin - WAVEFORM_SAMPLES)
    return begin + surplus // 2, end - (surplus - surplus // 2)


def waveform(excerpt: np.ndarray) -> np.ndarray:
    """The network's sound, float32 [35280]: the excerpt under a symmetric Hann window, centred, zero elsewhere.

    `excerpt`: float32 [S] in [-256, 256). A longer one than the buffer keeps its centre (the original crashes).
    """
    begin, end = kept_samples(0, len(excerpt))
    kept = excerpt[begin:end]
    buffer = np.zeros(WAVEFORM_SAMPLES, np.float32)
    begin = WAVEFORM_SAMPLES // 2 - len(kept) // 2  # an odd length has its middle sample on the buffer's 17,640
    buffer[begin : begin + len(kept)] = kept * _hann(len(kept))
    return buffer


@functools.lru_cache(64)  # a film has a few lengths, and its cosines cost a fifth of reading a clip
def _hann(length: int) -> np.ndarray:
    return np.hanning(length).astype(np.float32)


def subtract_mean(pixels: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """RGB uint8 [..., H, W, 3] -> float32, minus the ActivityNet mean; no division. `out`: C-contiguous, to fill."""
    if out is None:
        out = np.empty(pixels.shape, np.float32)
    # A mean as long as a row: broadcasting over a last axis of 3 is ten times slower.
    rows, filled = (array.reshape(*array.shape[:-2], -1) for array in (pixels, out))
    np.subtract(rows, np.tile(np.float32(MEAN_RGB), pixels.shape[-2]), out=filled, dtype=np.float32)
    return out
