"""Small good files for the tests to spoil: a raw data folder, shards, films, checkpoints, maps."""

import functools
import shutil
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import scipy.io
from PIL import Image

DATABASE, FRAMES, FPS, SIZE = "Mine", 18, 10, 32  # SIZE: pixels, of the shards and the networks
FILMS = ("one", "two", "three")


def write_raw(root: Path) -> Path:
    """Three films of 40x30 pixels with sound and annotations; two train, one tests."""
    rng = np.random.default_rng(0)
    for film in FILMS:
        frames, sounds, annotations = (
            root / kind / DATABASE / film for kind in ("video_frames", "video_audio", "annotations")
        )
        for folder in (frames, sounds, annotations / "maps"):
            folder.mkdir(parents=True)
        for number in range(1, FRAMES + 1):
            pixels = rng.integers(0, 256, (30, 40, 3), np.uint8)
            Image.fromarray(pixels).save(frames / f"img_{number:05d}.jpg")
            Image.fromarray(pixels[..., 0]).save(annotations / "maps" / f"eyeMap_{number:05d}.jpg")
            fixations = (rng.random((30, 40)) < 0.02).astype(np.uint8)
            scipy.io.savemat(annotations / f"fixMap_{number:05d}.mat", {"eyeMap": fixations}, do_compression=True)
        write_wav(sounds / f"{film}.wav", rng.integers(-9999, 9999, 8000 * FRAMES // FPS))
    lists = root / "fold_lists"
    lists.mkdir()
    lines = {film: f"{film} {FRAMES} {FPS}\n" for film in FILMS}
    (lists / f"{DATABASE}_list_train_fps.txt").write_text(lines["one"] + lines["two"])
    (lists / f"{DATABASE}_list_test_fps.txt").write_text(lines["three"])
    return root


def write_wav(path: Path, samples: np.ndarray, rate_hz: int = 8000) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.astype("<i2").tobytes())


def write_film(path: Path, num_frames: int = 6, size: tuple[int, int] = (64, 48), kind: str = "mp4") -> Path:
    """MPEG-4 pictures that move, PCM or AAC sound; ten frames a second."""
    with av.open(str(path), "w", format=kind) as container:
        video = container.add_stream("mpeg4", FPS)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.codec_context.time_base = Fraction(1, FPS)
        audio = container.add_stream("pcm_s16le" if kind in ("avi", "mov") else "aac", 8000, layout="mono")
        for number in range(num_frames):
            pixels = np.full((size[1], size[0], 3), 40 * number % 256, np.uint8)
            pixels[:, : 8 * (number + 1)] = 255
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts = number
            container.mux(video.encode(frame))
        tone = (9999 * np.sin(np.arange(8000 * num_frames // FPS) / 5)).astype(np.int16)
        sound = av.AudioFrame.from_ndarray(tone[None], "s16", "mono")
        sound.sample_rate, sound.pts = 8000, 0
        container.mux(audio.encode(sound))
        for stream in (video, audio):
            container.mux(stream.encode(None))
    return path


def gaze_table(names: tuple[str, ...] = FILMS) -> str:
    """A fixation in the picture's middle, for as long as the film."""
    return "video,observer,time,x,y,duration\n" + "".join(f"{name},a,0,32,24,1\n" for name in names)


class Supplies:
    """Made when first asked for, below `folder`; to be copied, not changed."""

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
        """A converted directory of a `visual` network of depth 10."""
        from stavis_jax.models.stavis import NetworkConfig
        from stavis_jax.weights.directory import WeightsInfo, save_weights
        from stavis_jax.weights.flat_names import expected_shapes

        config, rng = NetworkConfig("visual", 10, "B"), np.random.default_rng(0)
        arrays = {name: 0.01 * rng.random(shape, np.float32) for name, shape in expected_shapes(config).items()}
        save_weights(self.folder / "weights", arrays, WeightsInfo.of_network(config, size=SIZE))
        return self.folder / "weights"

    @functools.cached_property
    def pth(self) -> Path:
        """The same as a file of the authors' kind, with starting values for its sound part."""
        pytest.importorskip("torch")
        from stavis_jax.convert import directory_to_pytorch

        directory_to_pytorch(self.weights, self.folder / "weights.pth")
        return self.folder / "weights.pth"

    @functools.cached_property
    def maps(self) -> Path:
        """Maps of the test film."""
        folder = self.folder / "maps" / DATABASE / "three"
        folder.mkdir(parents=True)
        rng = np.random.default_rng(1)
        for number in range(9, FRAMES + 1):
            Image.fromarray(rng.integers(0, 256, (30, 40), np.uint8)).save(folder / f"pred_sal_{number:06d}.png")
        return folder.parents[1]


def copy_of(source: Path, folder: Path) -> Path:
    """A copy in `folder` under its own name."""
    target = folder / source.name
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)
    return target
