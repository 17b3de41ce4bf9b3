import numpy as np
import pytest

from stavis_jax.outputs.map_arrays import NpyMaps, NpzMaps


@pytest.fixture
def maps() -> np.ndarray:
    return np.random.default_rng(0).random((11, 6, 6), np.float32)


def test_npy_holds_all_maps_in_order(tmp_path, feed, predicted, maps):
    feed(NpyMaps(tmp_path / "maps.npy"), predicted(maps))
    read = np.load(tmp_path / "maps.npy", mmap_mode="r")
    assert read.dtype == np.float16
    np.testing.assert_array_equal(read, maps.astype(np.float16))


def test_npz_holds_maps_and_their_times(tmp_path, feed, predicted, maps):
    feed(NpzMaps(tmp_path / "maps.npz", 25.0), predicted(maps))
    with np.load(tmp_path / "maps.npz") as read:
        assert sorted(read) == ["frame_rate_hz", "saliency", "seconds"]
        assert read["saliency"].dtype == np.float16 and read["seconds"].dtype == np.float64
        np.testing.assert_array_equal(read["saliency"], maps.astype(np.float16))
        np.testing.assert_array_equal(read["seconds"], np.arange(11) / 25)
        assert read["frame_rate_hz"] == 25.0
    assert [path.name for path in tmp_path.iterdir()] == ["maps.npz"]


def test_maps_are_on_disk_before_the_last_has_come(tmp_path, predicted, maps):
    sink = NpyMaps(tmp_path / "maps.npy")
    for prediction in predicted(np.repeat(maps, 100, axis=0)):
        sink.add(prediction)
    assert (tmp_path / "maps.npy").stat().st_size > 0.8 * 1100 * 6 * 6 * 2
    sink.close()


def test_unfinished_arrays_leave_nothing_open_or_beside(tmp_path, predicted, maps):
    for sink in (NpyMaps(tmp_path / "maps.npy"), NpzMaps(tmp_path / "maps.npz", 25.0)):
        sink.add(predicted(maps)[0])
        sink.close()
        sink.close()
    assert [path.name for path in tmp_path.iterdir()] == ["maps.npy"]
