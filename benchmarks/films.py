"""Synthetic films as benchmarks read them: as a film file, in the raw layout, and as shards."""

import dataclasses
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.inputs import FRAME_RATE_HZ
from benchmarks.shard_lists import repeat_lists
from data_pipelines.drawing.mp4_film import mp4_writer
from data_pipelines.prepare import prepare
from data_pipelines.synthetic.database import DATABASE, synthesize


@dataclasses.dataclass(frozen=True)
class FilmFile:
    """One film: the file `path`, its extracted frames (a folder of img_00001.jpg and so on), and its sound (.wav)."""

    path: Path
    frames: Path
    sound: Path


@dataclasses.dataclass(frozen=True)
class Films:
    """The same films in the raw layout and as shards. frame_size: (width, height) in pixels."""

    frame_size: tuple[int, int]
    raw: Path
    shards: Path
    num_frames: int

    def kilobytes_per_frame(self, folder: Path) -> float:
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / self.num_frames / 1000


def make_film_file(folder: Path, num_frames: int, frame_size: tuple[int, int]) -> FilmFile:
    """Writes a synthetic film with camera grain into the new folder `folder`. frame_size: (width, height)."""
    _synthesize_with_grain(folder / "raw", 1, 1, num_frames, frame_size)
    frames = folder / "raw" / "video_frames" / DATABASE / "film_001"
    sound = folder / "raw" / "video_audio" / DATABASE / "film_001" / "film_001.wav"
    path = folder / "film.mp4"
    with mp4_writer(path, FRAME_RATE_HZ, sound) as add_picture:
        for number, picture in enumerate(sorted(frames.iterdir())):
            add_picture(np.asarray(Image.open(picture)), number / FRAME_RATE_HZ)
    return FilmFile(path, frames, sound)


def make_films(folder: Path, frame_size: tuple[int, int], *, num_films: int = 12, num_frames: int = 90) -> Films:
    """Writes synthetic films with camera grain and their shards into the new folder `folder`.

    Films of 90 frames have two windows of full length. A shorter window would have fewer frames to read from shards
    alone.
    """
    raw, shards = folder / "raw", folder / "shards"
    num_test_films = max(1, num_films // 5)
    _synthesize_with_grain(raw, num_films - num_test_films, num_test_films, num_frames, frame_size)
    prepare(raw, shards)
    repeat_lists(shards)
    return Films(frame_size, raw, shards, num_films * num_frames)


def camera_grain(frame_size: tuple[int, int], contrast: float = 20) -> np.ndarray:
    """Returns noise [H, W] whose amplitude falls with frequency, as in photographs. contrast: standard deviation."""
    width, height = frame_size
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    spectrum = np.fft.rfft2(np.random.default_rng(0).normal(size=(height, width))) / np.maximum(frequency, 1 / width)
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(spectrum, (height, width))
    return noise * (contrast / noise.std())


def _synthesize_with_grain(
    raw: Path, num_train_films: int, num_test_films: int, num_frames: int, frame_size: tuple[int, int]
) -> None:
    """Writes films whose JPEGs take as long to decode as a camera's: smooth synthetic frames decode too fast."""
    synthesize(
        raw,
        num_train_films=num_train_films,
        num_test_films=num_test_films,
        num_frames=num_frames,
        fps=FRAME_RATE_HZ,
        frame_size=frame_size,
    )
    grain = camera_grain(frame_size)
    for number, path in enumerate(sorted(raw.glob("video_frames/*/*/*.jpg"))):
        picture = np.asarray(Image.open(path)) + np.roll(grain, (3 * number, 7 * number), (0, 1))[..., None]
        Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(path, quality=90)
