"""Reads training clips from the raw layout, as PyTorch projects of the field do: every clip decodes its pictures again.

This code shares nothing with `data_pipelines`, so that the two can be compared.

    16 JPEGs -> RGB -> 320x240 (bicubic) -> SxS (bilinear), minus the mean; the density map likewise in grey;
    the .mat of fixations -> 320x240 -> > 0 -> SxS -> > 0; an excerpt of the .wav, held in memory, under a Hann window
"""

import random
from pathlib import Path

import numpy as np
import scipy.io
import soundfile
from PIL import Image

MEAN_RGB = np.array([114.7748, 107.7354, 99.4750], np.float32)
BUFFER_SAMPLES = 35_280
BICUBIC, BILINEAR = Image.Resampling.BICUBIC, Image.Resampling.BILINEAR


class RawClips:
    """The training clips of one database and split, as a torch.utils.data.Dataset: a length and random access.

    An item is a random 16 frames of a window, mirrored half of the time: clip float32 [16, S, S, 3], waveform float32
    [35280], density and fixations float32 [S, S]. Random numbers come from Python's `random`.
    """

    def __init__(self, root: Path, database: str, split: int = 1, size: int = 112):
        self.root, self.database, self.size = Path(root), database, size
        lines = (self.root / "fold_lists" / f"{database}_list_train_{split}_fps.txt").read_text().splitlines()
        films = [(name, int(num_frames), float(fps)) for name, num_frames, fps in map(str.split, lines)]
        self.windows = [
            (name, fps, first, min(first + 89, num_frames))
            for name, num_frames, fps in films
            for first in range(1, num_frames, 74)
        ]
        self.sounds = {name: self._sound(name) for name, _, _ in films}

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        name, fps, first, last = self.windows[index]
        begin = random.randint(first, max(first, last - 15))
        frames = np.resize(np.arange(begin, min(begin + 15, last) + 1), 16)
        return self.read(name, fps, frames, mirrored=random.random() < 0.5)

    def read(self, name: str, fps: float, frames: np.ndarray, *, mirrored: bool = False) -> dict[str, np.ndarray]:
        """Returns the item of 16 frame numbers of a film."""
        pictures = self.root / "video_frames" / self.database / name
        maps = self.root / "annotations" / self.database / name
        target = round(float(np.median(frames)))
        clip = np.stack([self._picture(pictures / f"img_{frame:05d}.jpg", "RGB") for frame in frames])
        item = {
            "clip": clip.astype(np.float32) - MEAN_RGB,
            "density": self._picture(maps / "maps" / f"eyeMap_{target:05d}.jpg", "L").astype(np.float32),
            "fixations": self._fixations(maps / f"fixMap_{target:05d}.mat"),
        }
        if mirrored:
            item = {
                key: np.ascontiguousarray(np.flip(value, -2 if key == "clip" else -1)) for key, value in item.items()
            }
        return item | {"waveform": self._waveform(name, fps, int(frames[0]), int(frames[-1]))}

    def _picture(self, path: Path, mode: str) -> np.ndarray:
        return resized_picture(path, mode, self.size)

    def _fixations(self, path: Path) -> np.ndarray:
        points = Image.fromarray(scipy.io.loadmat(path)["eyeMap"].astype(np.float32)).resize((320, 240), BILINEAR)
        patches = Image.fromarray(np.where(np.asarray(points) > 0, 255, 0).astype(np.uint8))
        return (np.asarray(patches.resize((self.size, self.size), BILINEAR)) > 0).astype(np.float32)

    def _sound(self, name: str) -> tuple[np.ndarray, int]:
        return read_sound(self.root / "video_audio" / self.database / name / f"{name}.wav")

    def _waveform(self, name: str, fps: float, first: int, last: int) -> np.ndarray:
        return windowed_excerpt(*self.sounds[name], fps, first, last)


def resized_picture(path: Path, mode: str, size: int) -> np.ndarray:
    """Returns a picture as uint8: [size, size, 3] for mode RGB, [size, size] for mode L."""
    with Image.open(path) as picture:
        small = picture.convert(mode).resize((320, 240), BICUBIC)
    return np.asarray(small.resize((size, size), BILINEAR))


def read_sound(path: Path) -> tuple[np.ndarray, int]:
    """Returns a .wav as mono float32 [samples] in [-256, 256), and its sample rate in Hz."""
    pcm, rate_hz = soundfile.read(path, dtype="int16", always_2d=True)
    return (pcm / 128).mean(axis=1).astype(np.float32), rate_hz


def windowed_excerpt(sound: np.ndarray, rate_hz: int, fps: float, first: int, last: int) -> np.ndarray:
    """Returns the sound of frames `first` to `last`, counted from 1, under a Hann window, centred: float32 [35280]."""
    begin = int(max(0.0, (first - 1) * (1.0 / fps) * rate_hz - rate_hz / fps / 2))
    end = int(min(len(sound), (last - 1) * (1.0 / fps) * rate_hz + rate_hz / fps / 2))
    excerpt = sound[begin : end + 1]
    excerpt = excerpt * np.hanning(len(excerpt)).astype(np.float32)
    buffer = np.zeros(BUFFER_SAMPLES, np.float32)
    start = BUFFER_SAMPLES // 2 - len(excerpt) // 2
    buffer[start : start + len(excerpt)] = excerpt
    return buffer
