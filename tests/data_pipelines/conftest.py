"""Raw data folders and shards for the tests of this folder. GOLDEN was computed by the authors' PyTorch code."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io
import soundfile
from PIL import Image

from data_pipelines.prepare import prepare
from data_pipelines.raw.layout import RawLayout

GOLDEN_RAW = Path(__file__).parents[1] / "golden" / "preprocess"
RATE_HZ = 8000


def write_film(
    root: Path, database: str, video: str, num_frames: int, *, fps: float = 10.0, sound: bool = True, seed: int = 0
) -> None:
    """A film of 20x16 frames in the raw layout; its maps are 12x10."""
    rng = np.random.default_rng(seed)
    frames, annotations = root / "video_frames" / database / video, root / "annotations" / database / video
    for folder in (frames, annotations / "maps"):
        folder.mkdir(parents=True)
    for number in range(1, num_frames + 1):
        Image.fromarray(rng.integers(0, 256, (16, 20, 3), np.uint8)).save(frames / f"img_{number:05d}.jpg")
        density = Image.fromarray(rng.integers(0, 256, (10, 12), np.uint8))
        density.save(annotations / "maps" / f"eyeMap_{number:05d}.jpg")
        fixations = (rng.random((10, 12)) < 0.1).astype(np.uint8)
        scipy.io.savemat(annotations / f"fixMap_{number:05d}.mat", {"eyeMap": fixations})
    if sound:
        folder = root / "video_audio" / database / video
        folder.mkdir(parents=True)
        samples = rng.integers(-(2**15), 2**15, round(num_frames / fps * RATE_HZ)).astype(np.int16)
        soundfile.write(folder / f"{video}.wav", samples, RATE_HZ)


def write_list(root: Path, name: str, text: str) -> None:
    folder = root / "fold_lists"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)


@pytest.fixture
def film_writer():
    return write_film


@pytest.fixture
def list_writer():
    return write_list


@pytest.fixture
def tiny_raw(tmp_path) -> Path:
    """One database of a user's own, `Mine`: films long (100 frames), short (20), mute (5, without sound)."""
    root = tmp_path / "raw"
    _write_tiny(root)
    return root


@pytest.fixture(scope="session")
def tiny_shards(tmp_path_factory) -> Path:
    """`tiny_raw` prepared at 8x8 pixels. Read only."""
    folder = tmp_path_factory.mktemp("tiny")
    _write_tiny(folder / "raw")
    return prepare(folder / "raw", folder / "shards", size=8, workers=1)


@pytest.fixture(scope="session")
def golden_layout() -> RawLayout:
    return RawLayout(GOLDEN_RAW)


@pytest.fixture(scope="session")
def golden_shards(tmp_path_factory):
    """A function (size, resize_filter) -> the golden raw data, prepared so. Read only."""
    folder = tmp_path_factory.mktemp("golden")

    def shards(size: int, resize_filter: str) -> Path:
        output = folder / f"{size}_{resize_filter}"
        return (
            output
            if output.exists()
            else prepare(GOLDEN_RAW, output, size=size, resize_filter=resize_filter, workers=1)
        )

    return shards


def _write_tiny(root: Path) -> None:
    for seed, (video, num_frames) in enumerate({"long": 100, "short": 20, "mute": 5}.items()):
        write_film(root, "Mine", video, num_frames, sound=video != "mute", seed=seed)
    write_list(root, "Mine_list_train_fps.txt", "short 20 10\nlong 100 10\n")
    write_list(root, "Mine_list_test_fps.txt", "mute 5 10\nshort 20 10\n")
