from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from data_pipelines.films.film import open_film
from data_pipelines.films.frame_folder import read_picture
from data_pipelines.inputs.resizing import ResizePicture
from data_pipelines.runtime.errors import UserError

RATE_HZ = 22050


def write_folder(folder: Path, pictures: np.ndarray, name: str = "frame{}.png") -> Path:
    folder.mkdir(parents=True)
    for number, picture in enumerate(pictures, 1):
        Image.fromarray(picture).save(folder / name.format(number))
    return folder


@pytest.fixture
def folder(tmp_path, pictures) -> Path:
    return write_folder(tmp_path / "a film.v2", pictures(12, 47, 65))


def test_pictures_are_the_frames_in_natural_order(folder, pictures):
    (folder / "Thumbs.db").touch()
    (folder / "._frame1.png").touch()
    film = open_film(folder, frame_rate_hz=29.97)
    assert (film.name, film.width, film.height, film.num_frames) == ("a film.v2", 65, 47, 12)
    assert (film.frame_rate_hz, film.has_sound) == (29.97, False)
    found = list(film.pictures())
    np.testing.assert_array_equal([picture.pixels for picture in found], pictures(12, 47, 65))
    assert [picture.seconds for picture in found] == [Fraction(100 * number, 2997) for number in range(12)]
    assert {picture.duration_seconds for picture in found} == {Fraction(100, 2997)}
    frames = list(film.frames(32))
    np.testing.assert_array_equal(frames[9].picture, ResizePicture(32)(pictures(12, 47, 65)[9]))
    assert [frame.seconds for frame in frames] == [float(picture.seconds) for picture in found]


def test_a_folder_without_a_rate_has_25_frames_a_second_and_says_so(folder, caplog):
    film = open_film(folder)
    assert film.frame_rate_hz == 25
    (warning,) = caplog.messages
    assert f"{folder}: assuming 25 frames a second" in warning


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["f1", "f2", "f4", "f5"], "f2.png and f4.png have no steady numbers"),
        (["f1", "f1_mask", "f2", "f2_mask"], "f1.png and f1_mask.png have the same number"),
        (["f0", "f1", "f2"], ""),
        (["f0", "f5", "f10"], ""),
        (["shot1_1", "shot1_2", "shot2_1"], ""),
        (["a", "b", "c4"], ""),
    ],
)
def test_numbers_with_gaps_and_numbers_that_occur_twice_are_told(tmp_path, names, told, caplog):
    for name in names:
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
    assert open_film(tmp_path, frame_rate_hz=10).num_frames == len(names)
    assert [told in message for message in caplog.messages] == [True] * bool(told)


def test_a_frame_in_two_formats_is_refused(tmp_path):
    for name in ("1.png", "1.JPG", "2.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    with pytest.raises(UserError, match=r"holds 1\.JPG and 1\.png\. Keep one of each frame"):
        open_film(tmp_path, frame_rate_hz=10)


def test_sizes_and_kinds_of_pictures_may_differ(tmp_path, folder, pictures):
    Image.fromarray(pictures(1, 20, 30)[0]).convert("L").save(folder / "frame13.JPG")
    Image.fromarray(pictures(1, 20, 31)[0]).convert("RGBA").save(folder / "frame14.tiff")
    shapes = [picture.pixels.shape for picture in open_film(folder, frame_rate_hz=10).pictures()]
    assert shapes == [(47, 65, 3)] * 12 + [(20, 30, 3), (20, 31, 3)]


def test_sixteen_bits_of_grey_become_eight(tmp_path):
    path = tmp_path / "grey.png"
    Image.fromarray(np.uint16([[0, 256, 2**15, 2**16 - 1]])).save(path)
    np.testing.assert_array_equal(read_picture(path)[0, :, 0], [0, 1, 128, 255])


def test_photographs_are_turned_upright(tmp_path, pictures):
    image = Image.fromarray(pictures(1)[0])
    exif = image.getexif()
    exif[0x0112] = 6  # shown a quarter turn clockwise
    image.save(tmp_path / "photo.png", exif=exif)
    np.testing.assert_array_equal(read_picture(tmp_path / "photo.png"), np.rot90(pictures(1)[0], -1))


def test_the_wav_of_a_folder_is_its_sound(folder):
    tone = np.full(RATE_HZ, 2**14, np.int16)
    soundfile.write(folder / "any name.WAV", tone, RATE_HZ)
    film = open_film(folder, frame_rate_hz=10)
    assert (film.sound_path, film.start_seconds) == (folder / "any name.WAV", 0)
    np.testing.assert_array_equal(np.concatenate(list(film.waveform())), np.full(RATE_HZ, 128))


def test_two_sounds_of_a_folder_need_a_choice(folder):
    for name in ("a.wav", "b.wav"):
        soundfile.write(folder / name, np.zeros(RATE_HZ), RATE_HZ)
    with pytest.raises(UserError, match=r"a film.v2: holds 2 sounds \(a.wav, b.wav\). Keep only"):
        open_film(folder, frame_rate_hz=10)
    assert open_film(folder, frame_rate_hz=10, sound=folder / "b.wav").sound_path == folder / "b.wav"


@pytest.mark.parametrize("content", [b"RIFF no sound", b"", bytes(range(256))])
def test_a_wav_that_is_none_is_named(folder, content):
    (folder / "sound.wav").write_bytes(content)
    with pytest.raises(UserError, match=r"sound\.wav: "):
        open_film(folder, frame_rate_hz=10)


def test_a_folder_without_pictures_is_named(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UserError, match=f"{tmp_path.name}: holds no pictures"):
        open_film(tmp_path)


@pytest.mark.parametrize("damage", [lambda content: content[: len(content) // 2], lambda content: b"", lambda _: b"no"])
@pytest.mark.parametrize("number", [1, 7])
def test_a_picture_that_cannot_be_read_is_named(folder, damage, number):
    path = folder / f"frame{number}.png"
    path.write_bytes(damage(path.read_bytes()))
    for gone_through in (lambda film: film.frames(16), lambda film: film.pictures()):
        with pytest.raises(UserError, match=f"frame{number}.png: cannot be read as a picture") as raised:
            list(gone_through(open_film(folder, frame_rate_hz=10)))
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("suffix", [".bmp", ".gif", ".jp2", ".pgm", ".ppm", ".tif", ".webp"])
def test_the_formats_frames_are_written_in_are_read_whatever_their_suffix(tmp_path, pictures, suffix):
    Image.fromarray(pictures(1)[0]).save(tmp_path / f"frame{suffix}", **{".webp": {"lossless": True}}.get(suffix, {}))
    path = (tmp_path / f"frame{suffix}").rename(tmp_path / "frame.png")
    pixels = read_picture(path)
    assert pixels.shape == (48, 64, 3)
    assert suffix in (".gif", ".pgm") or (pixels == pictures(1)[0]).all()


def test_postscript_called_a_picture_is_never_run(tmp_path, monkeypatch):
    from PIL import EpsImagePlugin

    def run(*_, **__):
        raise AssertionError

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", run)
    head = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n"
    (tmp_path / "000001.png").write_bytes(head + b"showpage\n%%EOF\n")
    with pytest.raises(UserError, match=r"000001.png: cannot be read as a picture \(of no known format\). Write"):
        open_film(tmp_path, frame_rate_hz=10)


@pytest.mark.parametrize("shape", [(8_001, 8_000), (10_000, 9_000), (20_000, 10_000)])
def test_a_picture_larger_than_any_frame_is_one_line(tmp_path, shape):
    """Pillow warns from 89 million pixels on, and refuses from twice as many on."""
    Image.new("1", shape).save(tmp_path / "000001.png")
    with pytest.raises(UserError, match=r"000001.png: cannot be read as a picture \(.*\d{4}") as raised:
        open_film(tmp_path, frame_rate_hz=10)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("rate", [0, -25, 1e-9, 0.016, 501, 1e9, float("nan"), float("inf")])
def test_impossible_frame_rates_are_refused(folder, rate):
    with pytest.raises(UserError, match="a film.v2: .* frames a second are not possible. .* from 1/60 to 500"):
        open_film(folder, frame_rate_hz=rate)


@pytest.mark.parametrize("rate", [1 / 60, 500])
def test_the_slowest_and_the_fastest_rate_are_taken(folder, rate):
    assert open_film(folder, frame_rate_hz=rate).frame_rate_hz == pytest.approx(rate)


@pytest.mark.parametrize("path", [".", "../a film.v2", "./"])
def test_a_folder_is_named_after_itself_wherever_one_stands(folder, monkeypatch, path):
    monkeypatch.chdir(folder)
    assert open_film(path, frame_rate_hz=10).name == "a film.v2"


def test_the_folder_above_has_its_own_name(folder, monkeypatch):
    (folder / "sub").mkdir()
    monkeypatch.chdir(folder / "sub")
    assert open_film("..", frame_rate_hz=10).name == "a film.v2"
