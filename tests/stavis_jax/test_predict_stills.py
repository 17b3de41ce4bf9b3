"""The predict command on pictures: one map and one overlay for each."""

import numpy as np
import pytest
from made_models import Brightness
from PIL import Image

import stavis_jax
from data_pipelines.films.film import open_film
from data_pipelines.runtime.errors import UserError
from stavis_jax import predict

EXIF_ORIENTATION, TURN_LEFT = 0x0112, 8


@pytest.fixture
def photo(tmp_path):
    """photos/photo.jpg, 61x41 as it is shown: white in its left half."""
    (tmp_path / "photos").mkdir()
    pixels = np.zeros((41, 61, 3), np.uint8)
    pixels[:, :30] = 255
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = TURN_LEFT  # stored on its side
    Image.fromarray(np.rot90(pixels, -1).copy()).save(tmp_path / "photos" / "photo.jpg", exif=exif, quality=95)
    return tmp_path / "photos" / "photo.jpg"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """A function: predicts by the command, with a network that looks at bright places, and returns what it printed."""
    monkeypatch.setattr("stavis_jax.prediction.model.load", lambda *a, **k: Brightness())

    def command(*arguments) -> str:
        predict.main([*map(str, arguments), "--checkpoint", "x", "--output", str(tmp_path / "out")])
        return capsys.readouterr().out

    return command


def contents(folder) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_picture_gets_one_map_and_one_overlay_upright_and_at_its_size(photo, run, tmp_path, caplog):
    assert f"{tmp_path}/out/photo: 1 frame, wrote maps, overlay.png" in run(photo)
    assert contents(tmp_path / "out" / "photo") == ["maps/000001.png", "overlay.png", "prediction.json"]
    with Image.open(tmp_path / "out" / "photo" / "maps" / "000001.png") as picture:
        assert (picture.size, picture.mode) == ((61, 41), "L")
        level = np.asarray(picture)
    assert level[:, :20].min() > 150 and level[:, 40:].max() < 100
    with Image.open(tmp_path / "out" / "photo" / "overlay.png") as overlay:
        assert (overlay.size, overlay.mode) == ((61, 41), "RGB")
    assert not caplog.records  # nobody expects a picture to sound
    assert "already predicted" in run(photo)


def test_every_output_of_a_picture(photo, run, tmp_path):
    outputs = "maps,overlay,grey,npz,npy,contact-sheet,track"
    run(photo, "--outputs", outputs, "--view", "side-by-side", "--naming", "original", "--map-size", "network")
    files = ["contact-sheet.png", "grey.png", "maps.npy", "maps.npz", "maps/pred_sal_000001.jpg", "overlay.png"]
    assert contents(tmp_path / "out" / "photo") == [*files, "prediction.json", "track.csv"]
    assert np.load(tmp_path / "out" / "photo" / "maps.npy").shape == (1, 16, 16)
    run(photo, "--overwrite")  # it replaces what a prediction of a picture wrote
    assert contents(tmp_path / "out" / "photo") == ["maps/000001.png", "overlay.png", "prediction.json"]


def test_several_pictures_are_stills_and_their_folder_is_a_film(photo, run, tmp_path):
    Image.new("RGB", (20, 10)).save(photo.with_name("second.png"))
    run(photo, photo.with_name("second.png"))
    assert (tmp_path / "out" / "second" / "overlay.png").is_file()
    run(photo.parent, "--frame-rate", 5)
    assert contents(tmp_path / "out" / "photos")[:2] == ["maps/000001.png", "maps/000002.png"]
    assert (tmp_path / "out" / "photos" / "overlay.mp4").is_file()


def test_a_pattern_of_pictures_gives_each(photo, run, tmp_path):
    Image.new("RGB", (20, 10)).save(photo.with_name("second.jpg"))
    run(photo.parent / "*.jpg")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["photo", "second"]


def test_python_takes_pictures_too(photo):
    assert stavis_jax.predict_video(photo, Brightness()).shape == (1, 16, 16)


@pytest.mark.parametrize(
    ("flags", "fault"),
    [(["--sound", "x.wav"], "a single picture, which has no sound"), (["--frame-rate", "5"], "rate")],
)
def test_sound_and_frame_rate_are_refused(photo, run, flags, fault):
    with pytest.raises(SystemExit, match=fault):
        run(photo, *flags)


def test_damaged_and_odd_pictures_are_one_line(photo, tmp_path):
    photo.write_bytes(photo.read_bytes()[:500])
    with pytest.raises(UserError, match=r"photo\.jpg: cannot be read as a picture"):
        open_film(photo, stills=True)
    pages = [Image.new("RGB", (8, 8)) for _ in range(3)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(UserError, match=r"pages\.tif: holds 3 pictures"):
        open_film(tmp_path / "pages.tif", stills=True)
    moving = [Image.new("RGB", (8, 8), (shade, 0, 0)) for shade in (0, 200)]
    moving[0].save(tmp_path / "moving.gif", save_all=True, append_images=moving[1:])
    assert len(list(open_film(tmp_path / "moving.gif", stills=True).pictures())) == 2
