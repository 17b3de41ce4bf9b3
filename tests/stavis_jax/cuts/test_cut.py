import json
import zipfile

import numpy as np
import pytest
from made_films import write_film
from made_models import Brightness

from data_pipelines.runtime.errors import UserError
from stavis_jax.cuts.cut import open_cut
from stavis_jax.outputs.options import PredictionOptions
from stavis_jax.outputs.write import write_predictions


@pytest.fixture
def film(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (12, 32, 48, 3), np.uint8)
    return write_film(tmp_path / "film.mkv", frames, frame_rate_hz=5)


def no_network():
    raise AssertionError("a folder of maps needs no network")


@pytest.fixture
def folder(film, tmp_path):
    write_predictions(film, tmp_path / "out", Brightness(), PredictionOptions(("npz",)))
    return tmp_path / "out"


@pytest.mark.filterwarnings("ignore")
def test_maps_of_a_folder_are_those_of_its_film(film, folder):
    stored, predicted = open_cut(folder, no_network), open_cut(film, Brightness)
    assert stored.film_size == predicted.film_size == (48, 32)
    assert (stored.num_frames, stored.name, predicted.name) == (12, "out", "film")
    for one, other in zip(stored.maps(), predicted.maps(), strict=True):
        assert one.seconds == other.seconds
        np.testing.assert_allclose(one.saliency, other.saliency, atol=1e-3)  # float16 on the disk


def test_folder_of_an_older_version_does_not_tell_the_size_of_its_film(folder):
    content = json.loads((folder / "prediction.json").read_text())
    del content["film size in pixels"]
    (folder / "prediction.json").write_text(json.dumps(content))
    assert open_cut(folder, no_network).film_size is None


def test_folder_of_the_pictures_of_maps_is_no_film(film, tmp_path):
    write_predictions(film, tmp_path / "out", Brightness(), PredictionOptions(("maps",)))
    with pytest.raises(
        UserError, match=r"out/maps: is a part of a prediction. Give .*out, predicted with --outputs npz"
    ):
        open_cut(tmp_path / "out" / "maps", no_network)


def test_folder_without_arrays_is_refused(film, tmp_path):
    write_predictions(film, tmp_path / "out", Brightness(), PredictionOptions(("track",)))
    with pytest.raises(UserError, match=r"was predicted without maps.npz. Predict it with --outputs npz"):
        open_cut(tmp_path / "out", no_network)


def rewrite(path, change) -> None:
    with np.load(path) as stored:
        arrays = dict(stored)
    np.savez(path, **change(arrays))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda arrays: arrays | {"seconds": arrays["seconds"][1:]}, r"float16 \[12, 16, 16\] for 11 times"),
        (lambda arrays: arrays | {"saliency": arrays["saliency"][:, 0]}, r"float16 \[12, 16\]"),
        (lambda arrays: arrays | {"saliency": (arrays["saliency"] * 255).astype(np.uint8)}, "uint8"),
        (lambda arrays: arrays | {"saliency": arrays["saliency"] * np.float16(np.nan)}, "not finite"),
        (lambda arrays: {"seconds": arrays["seconds"]}, "lacks|no item"),
        (lambda arrays: arrays | {"saliency": np.array([{}] * 12)}, "object"),
    ],
)
def test_damaged_arrays_are_one_line(folder, change, says):
    rewrite(folder / "maps.npz", change)
    with pytest.raises(UserError, match=rf"maps.npz: damaged .*({says})"):
        list(open_cut(folder, no_network).maps())


def test_truncated_archive_is_one_line(folder):
    content = (folder / "maps.npz").read_bytes()
    (folder / "maps.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"maps.npz: damaged"):
        open_cut(folder, no_network)
    with zipfile.ZipFile(folder / "maps.npz", "w") as archive:
        archive.writestr("seconds.npy", b"no array")
    with pytest.raises(UserError, match=r"maps.npz: damaged"):
        open_cut(folder, no_network)
