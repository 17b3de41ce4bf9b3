"""Makes small good files for tests to damage: raw data, shards, films, checkpoints and maps."""

import functools
import shutil
from fractions import Fraction
from pathlib import Path

import made_films
import numpy as np
import pytest
from made_raw_data import write_list, write_raw_film
from PIL import Image

DATABASE, FRAMES, FPS, SIZE = "Mine", 18, 10, 32  # SIZE: pixels of shards and networks
FILMS = ("one", "two", "three")


def write_raw(root: Path) -> Path:
    """Writes three films of 40x30 pixels with sound and annotations; two train, one tests."""
    for film in FILMS:
        write_raw_film(root, DATABASE, film, FRAMES, fps=FPS, frame_size=(40, 30), map_size=(40, 30))
    lines = {film: f"{film} {FRAMES} {FPS}\n" for film in FILMS}
    write_list(root, f"{DATABASE}_list_train_fps.txt", lines["one"] + lines["two"])
    write_list(root, f"{DATABASE}_list_test_fps.txt", lines["three"])
    return root


def write_film(path: Path, num_frames: int = 6, size: tuple[int, int] = (64, 48), kind: str = "mp4") -> Path:
    """Writes MPEG-4 pictures that move, ten a second, and PCM or AAC sound."""
    pictures = np.empty((num_frames, size[1], size[0], 3), np.uint8)
    for number, picture in enumerate(pictures):
        picture[:] = 40 * number % 256
        picture[:, : 8 * (number + 1)] = 255
    tone = (9999 * np.sin(np.arange(8000 * num_frames // FPS) / 5)).astype(np.int16)
    return made_films.write_film(
        path,
        pictures,
        [(0, tone[None])],
        frame_rate_hz=FPS,
        codec="mpeg4",
        pix_fmt="yuv420p",
        sound_codec="pcm_s16le" if kind in ("avi", "mov") else "aac",
        rate_hz=8000,
        container=kind,
        time_base=Fraction(1, FPS),
    )


def gaze_table(names: tuple[str, ...] = FILMS) -> str:
    """Returns a gaze table with one fixation at the centre of the picture during the whole film."""
    return "video,observer,time,x,y,duration\n" + "".join(f"{name},a,0,32,24,1\n" for name in names)


class Supplies:
    """Good files below `folder`, made on first use. Tests copy them and never change them."""

    def __init__(self, folder: Path):
        self.folder = folder

    @functools.cached_property
    def raw(self) -> Path:
        return write_raw(self.folder / "raw")

    @functools.cached_property
    def shards(self) -> Path:
        from data_pipelines.prepare import prepare

        return prepare(self.raw, self.folder / "shards", size=SIZE, workers=1)

    @functools.cached_property
    def film(self) -> Path:
        return write_film(self.folder / "film.mp4")

    @functools.cached_property
    def films(self) -> Path:
        folder = self.folder / "films"
        folder.mkdir()
        for film in FILMS:
            write_film(folder / f"{film}.mp4", 18)
        return folder

    @functools.cached_property
    def gaze(self) -> Path:
        path = self.folder / "gaze.csv"
        path.write_text(gaze_table())
        return path

    @functools.cached_property
    def weights(self) -> Path:
        """Writes a converted directory of a `visual` network of depth 10."""
        from made_checkpoints import write_random_weights

        from stavis_jax.models.stavis import NetworkConfig

        return write_random_weights(self.folder / "weights", NetworkConfig("visual", 10, "B"), SIZE)

    @functools.cached_property
    def pth(self) -> Path:
        """Writes the same network as a .pth file, with starting values for its sound part."""
        pytest.importorskip("torch")
        from stavis_jax.weights.conversion import directory_to_pytorch

        directory_to_pytorch(self.weights, self.folder / "weights.pth")
        return self.folder / "weights.pth"

    @functools.cached_property
    def maps(self) -> Path:
        """Writes maps of the test film."""
        folder = self.folder / "maps" / DATABASE / "three"
        folder.mkdir(parents=True)
        rng = np.random.default_rng(1)
        for number in range(9, FRAMES + 1):
            Image.fromarray(rng.integers(0, 256, (30, 40), np.uint8)).save(folder / f"pred_sal_{number:06d}.png")
        return folder.parents[1]

    @functools.cached_property
    def maps_of_film(self) -> Path:
        """Writes one map for each frame of `film`, as predict does."""
        folder = self.folder / "maps_of_film" / "film" / "maps"
        folder.mkdir(parents=True)
        rng = np.random.default_rng(2)
        for number in range(1, 7):
            Image.fromarray(rng.integers(0, 256, (48, 64), np.uint8)).save(folder / f"{number:06d}.png")
        return folder.parents[1]


def copy_of(source: Path, folder: Path) -> Path:
    """Copies a file or folder into `folder` under its own name."""
    target = folder / source.name
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)
    return target
