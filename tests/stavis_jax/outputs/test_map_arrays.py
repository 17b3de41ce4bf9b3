from types import SimpleNamespace

import numpy as np
import pytest

from stavis_jax.outputs.map_arrays import npy_maps, npz_maps

FILM = SimpleNamespace(frame_rate_hz=25.0)


@pytest.fixture
def maps() -> np.ndarray:
    return np.random.default_rng(0).random((11, 6, 6), np.float32)


def test_npy_holds_all_maps_in_order(tmp_path, feed, predicted, maps):
    feed(npy_maps, tmp_path / "maps.npy", None, predicted(maps))
    read = np.load(tmp_path / "maps.npy", mmap_mode="r")
    assert read.dtype == np.float16
    np.testing.assert_array_equal(read, maps.astype(np.float16))


def test_npz_holds_maps_and_their_times(tmp_path, feed, predicted, maps):
    feed(npz_maps, tmp_path / "maps.npz", FILM, predicted(maps))
    with np.load(tmp_path / "maps.npz") as read:
        assert sorted(read) == ["frame_rate_hz", "saliency", "seconds"]
        assert read["saliency"].dtype == np.float16 and read["seconds"].dtype == np.float64
        np.testing.assert_array_equal(read["saliency"], maps.astype(np.float16))
        np.testing.assert_array_equal(read["seconds"], np.arange(11) / 25)
        assert read["frame_rate_hz"] == 25.0
    assert [path.name for path in tmp_path.iterdir()] == ["maps.npz"]


def test_maps_are_on_disk_before_the_last_has_come(tmp_path, predicted, maps):
    with npy_maps(tmp_path / "maps.npy", None, None) as write:
        for prediction in predicted(np.repeat(maps, 100, axis=0)):
            write(prediction, None)
        assert (tmp_path / "maps.npy").stat().st_size > 0.8 * 1100 * 6 * 6 * 2


def test_unfinished_arrays_leave_nothing_open_or_beside(tmp_path, feed, predicted, maps):
    def interrupted():
        yield predicted(maps)[0]
        raise KeyboardInterrupt

    for open_output, name in ((npy_maps, "maps.npy"), (npz_maps, "maps.npz")):
        with pytest.raises(KeyboardInterrupt):
            feed(open_output, tmp_path / name, FILM, interrupted())
    assert [path.name for path in tmp_path.iterdir()] == ["maps.npy"]
