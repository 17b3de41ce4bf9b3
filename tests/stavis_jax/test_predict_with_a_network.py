"""Runs predict with the real network, from a .pth file of random weights to a film's maps and overlay."""

import logging
from pathlib import Path

import av
import numpy as np
import pytest
from made_films import beginning_of_real_film
from PIL import Image

import stavis_jax
from stavis_jax import predict
from stavis_jax.prediction.api import predict_frames

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checkpoint(write_golden_checkpoint) -> Path:
    return write_golden_checkpoint("audiovisual_resnet10", variant="upscale")


def test_a_real_film_gets_a_map_for_every_frame_and_an_overlay_with_its_sound(checkpoint, tmp_path):
    film = beginning_of_real_film("bigbuckbunny.mp4", 1.2, tmp_path)
    predict.main([str(film), "--checkpoint", str(checkpoint), "--output", str(tmp_path)])
    maps = sorted((tmp_path / "bigbuckbunny" / "maps").iterdir())
    assert [path.name for path in maps] == [f"{number:06d}.png" for number in range(1, 31)]
    pictures = [np.asarray(Image.open(path)) for path in (maps[0], maps[15], maps[-1])]
    for picture in pictures:
        assert (picture.shape, picture.dtype, picture.min(), picture.max()) == ((720, 1280), np.uint8, 0, 255)
    assert (pictures[0] != pictures[1]).any()
    with av.open(tmp_path / "bigbuckbunny" / "overlay.mp4") as overlay, av.open(film) as original:
        assert len(overlay.streams.audio) == 1
        assert abs(overlay.duration - original.duration) <= av.time_base * 1024 / 48_000  # one AAC frame
        assert sum(1 for _ in overlay.decode(video=0)) == 30


def test_right_after_installation_films_and_pictures_are_predicted_without_a_checkpoint(tmp_path, capsys):
    film = beginning_of_real_film("bigbuckbunny.mp4", 1.2, tmp_path)
    with av.open(film) as pictures:
        next(pictures.decode(video=0)).to_image().save(tmp_path / "photo.png")
    predict.main([str(film), str(tmp_path / "photo.png"), "--output", str(tmp_path / "out")])
    assert capsys.readouterr().err.count("starter: the package's own small network predicts") == 1
    assert len(list((tmp_path / "out/bigbuckbunny/maps").iterdir())) == 30
    with av.open(tmp_path / "out/bigbuckbunny/overlay.mp4") as overlay:
        assert len(overlay.streams.audio) == 1
    with Image.open(tmp_path / "out/photo/overlay.png") as overlay:
        assert overlay.size == (1280, 720)


def test_a_film_without_sound_gets_a_warning_and_its_maps(checkpoint, tmp_path, caplog):
    film = beginning_of_real_film("bikes.mp4", 1.2, tmp_path)
    with caplog.at_level(logging.WARNING):
        arguments = ["--checkpoint", str(checkpoint), "--output", str(tmp_path), "--map-size", "network"]
        predict.main([str(film), *arguments])
    assert [record.message for record in caplog.records if "sound" in record.message]
    assert len(list((tmp_path / "bikes" / "maps").iterdir())) == 30


def test_batches_of_one_give_the_maps_of_batches_of_four(checkpoint):
    model = stavis_jax.load(checkpoint, variant="l3mul-s3")
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (5, 64, 64, 3), np.uint8)
    model.size = 64
    waveform = rng.normal(0, 30, 5000).astype(np.float32)
    one, four = (predict_frames(frames, waveform, 22_050, 25, model, batch_size=size) for size in (1, 4))
    np.testing.assert_allclose(one, four, atol=1e-5)  # float32 sums in another order
