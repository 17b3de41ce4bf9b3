import wave
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from data_pipelines.films.decoding import open_video
from data_pipelines.films.film import open_film
from data_pipelines.runtime.errors import UserError


def sound_alone(path: Path) -> None:
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 22050, 0, "NONE", ""))
        sound.writeframes(bytes(22050))


def music_with_cover(path: Path) -> None:
    with av.open(str(path), "w") as music:
        audio = music.add_stream("libmp3lame", rate=44100, layout="mono")
        cover = music.add_stream("mjpeg")
        cover.width, cover.height, cover.pix_fmt = 16, 16, "yuvj420p"
        cover.disposition = Disposition.attached_pic.value
        music.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")))
        music.mux(cover.encode(None))
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4608), np.int16), format="s16p", layout="mono")
        frame.rate = 44100
        music.mux(audio.encode(frame))
        music.mux(audio.encode(None))


def picture(path: Path) -> None:
    Image.new("RGB", (16, 16)).save(path)


@pytest.mark.parametrize(
    ("name", "make", "fault"),
    [
        ("missing.mp4", lambda path: None, "no such file"),
        ("empty.mp4", Path.touch, "is empty"),
        ("noise.mp4", lambda path: path.write_bytes(bytes(range(256))), "cannot be read as a film"),
        ("notes.txt", lambda path: path.write_text("not a film\n" * 50), "no video stream"),
        ("sound.wav", sound_alone, "no video stream"),
        ("music.mp3", music_with_cover, "no video stream"),
        ("picture.png", picture, "is a single picture"),
        ("picture.jpg", picture, "is a single picture"),
        ("picture.webp", picture, "is a single picture"),
        ("picture%03d.png", picture, "is a single picture"),
    ],
)
def test_what_is_not_a_film_is_named(tmp_path, name, make, fault):
    make(tmp_path / name)
    with pytest.raises(UserError, match=f"{name}: .*{fault}") as raised:
        open_film(tmp_path / name)
    assert "\n" not in str(raised.value)


def test_a_film_without_a_good_frame_is_named(tmp_path, write_film, pictures, damage_packets):
    path = damage_packets(write_film(tmp_path / "damaged.mkv", pictures()), slice(None))
    with pytest.raises(UserError, match="damaged.mkv: no frame could be decoded"):
        open_film(path)


def test_opened_film_is_closed_again(real_film):
    with open_video(real_film("bikes.mp4")) as streams:
        assert streams.audio is None
    with pytest.raises(AssertionError):
        next(streams.container.decode(streams.video))
