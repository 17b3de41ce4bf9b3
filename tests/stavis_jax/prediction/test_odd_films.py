"""Unusual films: every frame gets a map, or the film is refused with a one-line error."""

from collections.abc import Callable
from pathlib import Path

import av
import made_films
import numpy as np
import pytest
from made_models import MadeModel
from PIL import Image
from scipy.io import wavfile

from data_pipelines.films.film import open_film
from data_pipelines.runtime.errors import UserError
from stavis_jax.outputs.options import OutputOptions, PredictionOptions
from stavis_jax.outputs.write import write_predictions

SIZE, RATE_HZ = 16, 8_000


class Loudness(MadeModel):
    """Predicts higher saliency for louder clips."""

    def logits(self, clip, waveform):
        loudness = np.abs(waveform).max(axis=1)
        return clip.mean(axis=(1, 4)) / 64 + loudness[:, None, None]


def write(
    path: Path,
    num_frames: int = 20,
    size: tuple[int, int] = (64, 48),
    *,
    times: Callable[[int], float] = lambda number: number / 10,  # seconds
    sound_seconds: float = 2.0,
    sound_start: float = 0.0,
    layout: str = "mono",
    pix_fmt: str = "yuv420p",
    codec: str = "ffv1",
) -> Path:
    channels = av.AudioLayout(layout).nb_channels
    sound = np.full((channels, round(sound_seconds * RATE_HZ)), 3000, np.int16)
    return made_films.write_film(
        path,
        made_films.noise_pictures(num_frames, size[1], size[0]),
        [(sound_start, sound)] if sound_seconds else [],
        times_ms=[round(1000 * times(number)) for number in range(num_frames)],
        codec=codec,
        pix_fmt=pix_fmt,
        rate_hz=RATE_HZ,
        layout=layout,
        packet_samples=2**16,
    )


def turned(path: Path) -> Path:
    """As phones film: on its side, with a note to turn it."""
    upright = write(path.with_name("upright.mkv"), codec="mpeg4", sound_seconds=0)
    with av.open(str(upright)) as source, av.open(str(path), "w") as film:
        stream = film.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                film.mux(packet)
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 40  # the matrix of the film's track: a quarter turn
    for place, value in zip(range(at, at + 36, 4), (0, 1, 0, -1, 0, 0, 0, 0, 1), strict=True):
        if place not in (at + 24, at + 28):
            content[place : place + 4] = int(value * (2**30 if place == at + 32 else 2**16)).to_bytes(
                4, "big", signed=True
            )
    path.write_bytes(content)
    return path


def folder_of_pictures(path: Path) -> Path:
    path.mkdir()
    draw = np.random.default_rng(0)
    for number in range(1, 21):
        Image.fromarray(draw.integers(0, 256, (47, 65, 3), np.uint8)).save(path / f"frame{number}.png")
    wavfile.write(path / "sound.wav", RATE_HZ, np.full(2 * RATE_HZ, 3000, np.int16))
    return path


def cut(path: Path) -> Path:
    content = write(path).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


# name -> (made by, its maps, whether it is heard, upright size)
FILMS = {
    "steady.mkv": (write, 20, True, (64, 48)),
    "unsteady.mkv": (lambda path: write(path, times=lambda n: n / 10 + 0.03 * (n % 3)), 20, True, (64, 48)),
    "turned.mp4": (turned, 20, False, (48, 64)),
    "ten-bit.mkv": (lambda path: write(path, pix_fmt="yuv420p10le"), 20, True, (64, 48)),
    "odd-size.mkv": (lambda path: write(path, size=(65, 47), pix_fmt="yuv444p"), 20, True, (65, 47)),
    "silent.mkv": (lambda path: write(path, sound_seconds=0), 20, False, (64, 48)),
    "long-sound.mkv": (lambda path: write(path, sound_seconds=9), 20, True, (64, 48)),
    "short-sound.mkv": (lambda path: write(path, sound_seconds=0.2), 20, True, (64, 48)),
    "six-channels.mkv": (lambda path: write(path, layout="5.1"), 20, True, (64, 48)),
    "late-sound.mkv": (lambda path: write(path, sound_start=1.7, sound_seconds=0.3), 20, True, (64, 48)),
    "three-frames.mkv": (lambda path: write(path, num_frames=3, sound_seconds=0.3), 3, True, (64, 48)),
    "two-hours.mkv": (
        lambda path: write(path, 180, times=lambda n: 40.0 * n, sound_seconds=600),
        180,
        True,
        (64, 48),
    ),
    "pictures": (folder_of_pictures, 20, True, (65, 47)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FILMS)
def test_every_frame_of_an_odd_film_gets_its_map(tmp_path, name):
    make, num_frames, heard, size = FILMS[name]
    film = open_film(make(tmp_path / name))
    options = PredictionOptions(("maps", "npy", "overlay"), OutputOptions(map_size="film"))
    assert write_predictions(film, tmp_path / "out", Loudness(), options) == num_frames
    pictures = sorted((tmp_path / "out" / "maps").iterdir())
    assert len(pictures) == num_frames
    with Image.open(pictures[0]) as picture:
        assert picture.size == size
    maps = np.load(tmp_path / "out" / "maps.npy")
    assert (maps.min(axis=(1, 2)).max() > 0.99) == heard  # sound at 3000 of 32768 is loudness 23
    with av.open(str(tmp_path / "out" / "overlay.mp4")) as overlay:
        assert sum(1 for _ in overlay.decode(video=0)) == num_frames
        assert bool(overlay.streams.audio) == heard


def test_a_film_cut_short_gives_the_frames_it_has(tmp_path):
    options = PredictionOptions(("npy",))
    num_frames = write_predictions(cut(tmp_path / "cut.mkv"), tmp_path / "out", Loudness(), options)
    assert 5 <= num_frames < 20
    assert len(np.load(tmp_path / "out" / "maps.npy")) == num_frames


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("empty.mp4", b"", "is empty"),
        ("text.mp4", b"a film in words", "cannot be read as a film"),
        ("gone.mp4", None, "no such file"),
    ],
)
def test_what_is_no_film_is_one_line(tmp_path, name, content, fault):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"{name}: .*{fault}"):
        write_predictions(tmp_path / name, tmp_path / "out", Loudness(), PredictionOptions(("npy",)))
    assert not (tmp_path / "out").exists()
