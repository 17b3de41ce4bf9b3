from types import SimpleNamespace

import numpy as np
from PIL import Image

from stavis_jax.maps.map_folders import MapFolder, find_video_folder
from stavis_jax.maps.pictures import saliency_picture
from stavis_jax.outputs.map_pictures import map_pictures


def test_maps_are_numbered_from_one(tmp_path, feed, predicted):
    maps = np.random.default_rng(0).random((3, 8, 8), np.float32)
    feed(map_pictures, tmp_path / "maps", SimpleNamespace(width=16, height=10), predicted(maps))
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == ["000001.png", "000002.png", "000003.png"]
    with Image.open(tmp_path / "maps" / "000002.png") as picture:
        assert picture.mode == "L"
        np.testing.assert_array_equal(np.asarray(picture), saliency_picture(maps[1], (16, 10)))


def test_original_names_are_those_that_scoring_reads(tmp_path, feed, predicted):
    maps = np.tile(np.linspace(0, 1, 32, dtype=np.float32), (12, 32, 1))
    maps[7] = maps[7].T  # of frames 1 to 16, the released code's first: it numbers it 9
    feed(map_pictures, tmp_path / "film" / "maps", None, predicted(maps), naming="original", map_size="network")
    folder = find_video_folder(tmp_path, 1, "own", "film", flat=True)
    read = MapFolder(folder)
    assert list(read) == [9, 10, 11, 12, 13]
    assert (folder / "pred_sal_000009.jpg").is_file()
    np.testing.assert_allclose(read[9].astype(int), saliency_picture(maps[7]).astype(int), atol=4)  # JPEG
    np.testing.assert_allclose(read[10].astype(int), saliency_picture(maps[8]).astype(int), atol=4)
