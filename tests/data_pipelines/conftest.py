"""Raw data folders and shards for the tests of this folder. GOLDEN was computed by the authors' PyTorch code."""

from pathlib import Path

import pytest
from made_raw_data import write_list, write_raw_film

from data_pipelines.prepare import prepare
from data_pipelines.raw.layout import RawLayout

GOLDEN_RAW = Path(__file__).parents[1] / "golden" / "preprocess"


@pytest.fixture
def film_writer():
    return write_raw_film


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
        write_raw_film(root, "Mine", video, num_frames, sound=video != "mute", seed=seed)
    write_list(root, "Mine_list_train_fps.txt", "short 20 10\nlong 100 10\n")
    write_list(root, "Mine_list_test_fps.txt", "mute 5 10\nshort 20 10\n")
