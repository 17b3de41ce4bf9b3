from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_pipelines.raw.databases import DATABASES
from data_pipelines.runtime.errors import UserError
from stavis_jax.maps import map_folders
from stavis_jax.maps.map_folders import MapFolder, find_video_folder, read_map

PIXELS = np.arange(12, dtype=np.uint8).reshape(3, 4)


def test_frame_number_is_what_the_name_ends_in(tmp_path):
    for name in ("pred_sal_000009.jpg", "000012.png", "frame-7.JPEG"):
        Image.fromarray(PIXELS).save(tmp_path / name)
    maps = MapFolder(tmp_path)
    assert sorted(maps) == [7, 9, 12]
    assert 9 in maps and 10 not in maps and len(maps) == 3
    assert np.array_equal(maps[12], PIXELS)


def test_files_that_are_no_numbered_pictures_are_passed_over(tmp_path):
    for name in ("cover.jpg", "notes_1.txt", ".hidden_3.png"):
        Image.fromarray(PIXELS).save(tmp_path / name, format="PNG")
    assert len(MapFolder(tmp_path)) == 0


def test_two_maps_of_one_frame_are_an_error(tmp_path):
    for name in ("000009.png", "pred_9.png"):
        Image.fromarray(PIXELS).save(tmp_path / name)
    with pytest.raises(UserError, match="same frame"):
        MapFolder(tmp_path)


def test_first_channel_of_a_coloured_map_is_read(tmp_path):
    Image.fromarray(np.stack([PIXELS, PIXELS + 50, PIXELS + 100], axis=-1)).save(tmp_path / "1.png")
    assert np.array_equal(read_map(tmp_path / "1.png")[0], PIXELS)


def test_palette_is_resolved(tmp_path):
    picture = Image.fromarray(PIXELS).convert("P")
    picture.putpalette([255 - level for level in range(256) for _ in "RGB"])
    picture.save(tmp_path / "1.png")
    assert np.array_equal(read_map(tmp_path / "1.png")[0], 255 - PIXELS)


def test_ink_is_resolved(tmp_path):
    Image.fromarray(np.full((8, 8, 3), 200, np.uint8)).convert("CMYK").save(tmp_path / "1.jpg", quality=100)
    assert np.abs(read_map(tmp_path / "1.jpg")[0].astype(int) - 200).max() <= 2


@pytest.mark.parametrize("damage", [b"", b"no picture"])
def test_damaged_map_is_named(tmp_path, damage):
    (tmp_path / "1.png").write_bytes(damage)
    with pytest.raises(UserError, match=r"1\.png: not a readable picture"):
        read_map(tmp_path / "1.png")


def test_truncated_map_is_named(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)).save(tmp_path / "1.jpg")
    (tmp_path / "1.jpg").write_bytes((tmp_path / "1.jpg").read_bytes()[:1000])
    with pytest.raises(UserError, match=r"1\.jpg: not a readable picture"):
        read_map(tmp_path / "1.jpg")


def test_deeper_pixels_are_refused(tmp_path):
    Image.fromarray(PIXELS.astype(np.uint16) * 256).save(tmp_path / "1.png")
    with pytest.raises(UserError, match="8-bit"):
        read_map(tmp_path / "1.png")


@pytest.mark.parametrize(
    "folder",
    [
        "split2_results/coutrot1/clip_3",
        "split2_results/Coutrot_db1/clip_3",
        "Coutrot_db1/clip_3",
        "coutrot1/clip_3/maps",
    ],
)
def test_maps_are_found_under_the_datas_name_and_the_originals(tmp_path, folder):
    (tmp_path / folder).mkdir(parents=True)
    assert find_video_folder(tmp_path, 2, "Coutrot_db1", "clip_3") == tmp_path / folder
    assert find_video_folder(tmp_path, 2, "Coutrot_db2", "clip_3") is None
    assert find_video_folder(tmp_path, 2, "Coutrot_db1", "clip_4") is None


@pytest.mark.parametrize("folder", ["CLIP E\u0301", "clip é.mp4", "clip e\u0301", "clip\u00a0é"])
def test_the_folder_of_a_video_may_differ_from_its_name_in_form(tmp_path, folder):
    (tmp_path / "Own" / folder).mkdir(parents=True)
    assert find_video_folder(tmp_path, 1, "Own", "Clip é") == tmp_path / "Own" / folder
    (tmp_path / "Own" / "CLIP É").mkdir(exist_ok=True)
    assert find_video_folder(tmp_path, 1, "Own", "Clip é") is None  # two folders may be meant


def test_maps_of_one_split_do_not_serve_another(tmp_path):
    (tmp_path / "split2_results/etmd/clip_3").mkdir(parents=True)
    assert find_video_folder(tmp_path, 1, "ETMD_av", "clip_3") is None
    assert find_video_folder(tmp_path, 2, "ETMD_av", "clip_3") == Path(tmp_path, "split2_results/etmd/clip_3")


def test_coloured_maps_are_noticed_and_grey_ones_saved_as_colour_are_not(tmp_path):
    Image.fromarray(np.stack([PIXELS, PIXELS + 50, PIXELS + 100], axis=-1)).save(tmp_path / "1.png")
    Image.fromarray(np.stack([PIXELS] * 3, axis=-1)).save(tmp_path / "2.png")
    maps = MapFolder(tmp_path)
    assert [maps[number].shape for number in (1, 2)] == [(3, 4), (3, 4)]
    assert maps.coloured == {1}


def test_videos_lie_flat_where_the_data_have_one_database(tmp_path):
    (tmp_path / "clip_3").mkdir()
    assert find_video_folder(tmp_path, 1, "Own", "clip_3", flat=True) == tmp_path / "clip_3"
    assert find_video_folder(tmp_path, 1, "Own", "clip_3") is None
    assert find_video_folder(tmp_path, 1, "Own", "clip_4", flat=True) is None


def test_the_last_number_counts_if_no_name_ends_in_one(tmp_path):
    for name in ("frame000001_pred.png", "frame000002_pred.png", "cover.png"):
        Image.fromarray(PIXELS).save(tmp_path / name)
    assert sorted(MapFolder(tmp_path)) == [1, 2]
    Image.fromarray(PIXELS).save(tmp_path / "000003.png")
    assert sorted(MapFolder(tmp_path)) == [3]


def test_names_that_all_end_alike_are_an_error(tmp_path):
    for name in ("000001_x4_pred.png", "000002_x4_pred.png"):
        Image.fromarray(PIXELS).save(tmp_path / name)
    with pytest.raises(UserError, match="same frame, 4"):
        MapFolder(tmp_path)


def test_the_released_matlab_code_finds_every_database():
    root = Path()
    paths = [map_folders.scored_map_path(root, 1, folder, "one", 9, "matlab") for folder in DATABASES]
    expected = ["diem", "coutrot1", "coutrot2", "summe", "etmd", "avad"]
    assert [path.parts[1] for path in paths] == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ("png", "split2_results/Coutrot_db1/one/pred_sal_000009.png"),
        ("matlab", "split2_results/coutrot1/one/pred_sal_000009.jpg"),
    ],
)
def test_maps_of_test_films_are_found_where_they_are_written(tmp_path, files, expected):
    path = map_folders.scored_map_path(tmp_path, 2, "Coutrot_db1", "one", 9, files)
    assert path == tmp_path / expected
    path.parent.mkdir(parents=True)
    Image.new("L", (4, 3), 7).save(path)
    (number,) = MapFolder(find_video_folder(tmp_path, 2, "Coutrot_db1", "one"))
    assert number == 9
