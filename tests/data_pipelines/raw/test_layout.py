"""Reading one frame, map or sound of the raw layout."""

import numpy as np
import pytest
import scipy.io
import scipy.sparse
import soundfile
from PIL import Image

from data_pipelines.raw import layout as raw_layout
from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime.errors import UserError


def test_databases_come_in_the_papers_order_and_own_ones_last(tmp_path):
    for folder in ("Zebra", "AVAD", "Aardvark", "Coutrot_db1", "DIEM"):
        (tmp_path / "video_frames" / folder).mkdir(parents=True)
    assert RawLayout(tmp_path).databases() == ["DIEM", "Coutrot_db1", "AVAD", "Aardvark", "Zebra"]


def test_folder_without_frames_is_refused(tmp_path):
    with pytest.raises(UserError, match="video_frames"):
        RawLayout(tmp_path)


def test_paths_are_the_archives(tmp_path):
    (tmp_path / "video_frames").mkdir()
    layout = RawLayout(tmp_path)
    paths = [path(*("DB", "film", 7)) for path in (layout.frame_path, layout.density_path, layout.fixation_path)]
    assert [str(path.relative_to(tmp_path)) for path in [*paths, layout.sound_path("DB", "film")]] == [
        "video_frames/DB/film/img_00007.jpg",
        "annotations/DB/film/maps/eyeMap_00007.jpg",
        "annotations/DB/film/fixMap_00007.mat",
        "video_audio/DB/film/film.wav",
    ]


def test_frames_are_counted_by_their_highest_number(tiny_raw):
    layout = RawLayout(tiny_raw)
    layout.frame_path("Mine", "short", 3).unlink()
    assert layout.num_frames("Mine", "short") == 20
    assert layout.num_frames("Mine", "absent") == 0


def test_grey_frame_becomes_rgb_and_coloured_density_grey(tmp_path):
    Image.fromarray(np.full((4, 6), 90, np.uint8)).save(tmp_path / "grey.jpg")
    assert raw_layout.read_frame(tmp_path / "grey.jpg").shape == (4, 6, 3)
    Image.fromarray(np.full((4, 6, 3), 90, np.uint8)).save(tmp_path / "colour.png")
    np.testing.assert_array_equal(raw_layout.read_density(tmp_path / "colour.png"), np.full((4, 6), 90, np.uint8))


@pytest.mark.parametrize("convert", [np.asarray, scipy.sparse.csc_matrix], ids=["full", "sparse"])
def test_fixations_are_zero_and_one(tmp_path, convert):
    eye_map = np.array([[0.0, 2.0], [1.0, 0.0]])
    scipy.io.savemat(tmp_path / "map.mat", {"eyeMap": convert(eye_map)})
    found = raw_layout.read_fixations(tmp_path / "map.mat")
    assert found.dtype == np.uint8
    assert found.tolist() == [[0, 1], [1, 0]]


def test_sound_is_16_bit_over_128_with_channels_averaged(tmp_path):
    samples = np.array([[-(2**15), -(2**15)], [2**15 - 1, 2**15 - 1], [128, 0], [3, 4]], np.int16)
    soundfile.write(tmp_path / "stereo.wav", samples, 44_100)
    found, rate_hz = raw_layout.read_sound(tmp_path / "stereo.wav")
    assert (found.dtype, rate_hz) == (np.float32, 44_100)
    assert found.tolist() == [-256.0, 32_767 / 128, 0.5, 3.5 / 128]


def test_sixteen_bits_of_grey_are_scaled_rather_than_cut_off(tmp_path):
    deep, shallow = np.uint16([[0, 1, 256, 10_000, 40_000]]), np.uint16([[0, 1, 254, 255, 7]])
    Image.fromarray(deep).save(tmp_path / "deep.png")
    Image.fromarray(shallow).save(tmp_path / "shallow.png")
    assert raw_layout.read_density(tmp_path / "deep.png").tolist() == [[0, 0, 1, 63, 255]]
    assert raw_layout.read_density(tmp_path / "shallow.png").tolist() == shallow.tolist()
    assert raw_layout.read_frame(tmp_path / "deep.png")[0, :, 2].tolist() == [0, 0, 1, 39, 156]
    assert raw_layout.read_levels(tmp_path / "deep.png").tolist() == deep.tolist()


@pytest.mark.parametrize("name", ["read_frame", "read_density", "read_fixations", "read_sound", "sound_seconds"])
@pytest.mark.parametrize("damaged", [False, True], ids=["missing", "damaged"])
def test_bad_file_is_named(tmp_path, name, damaged):
    path = tmp_path / "some.file"
    if damaged:
        path.write_bytes(b"\xff\xd8\xff\xe0 cut short")
    with pytest.raises(UserError, match=r"some\.file"):
        getattr(raw_layout, name)(path)


def test_truncated_frame_is_named(tiny_raw):
    path = RawLayout(tiny_raw).frame_path("Mine", "short", 1)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match=r"img_00001\.jpg: not a readable picture"):
        raw_layout.read_frame(path)


def test_fixation_file_without_the_key_is_named(tmp_path):
    scipy.io.savemat(tmp_path / "map.mat", {"other": np.zeros((2, 2))})
    with pytest.raises(UserError, match=r"map\.mat: has no variable eyeMap"):
        raw_layout.read_fixations(tmp_path / "map.mat")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "it is damaged"),
        (b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF\r\n\x1a\n" + bytes(100), "it is damaged"),
        (bytes(range(256)) * 4, "not a readable .mat file"),
        (b"", "not a readable .mat file"),
    ],
    ids=["hdf5", "v7.3", "garbage", "empty"],
)
def test_unreadable_fixation_file_is_named(tmp_path, content, fault):
    (tmp_path / "map.mat").write_bytes(content)
    with pytest.raises(UserError, match=rf"map\.mat: .*{fault}"):
        raw_layout.read_fixations(tmp_path / "map.mat")


@pytest.mark.parametrize("eye_map", [np.zeros((2, 2, 2)), np.zeros((0, 0)), "text"], ids=["3d", "empty", "text"])
def test_fixations_that_are_no_map_are_named(tmp_path, eye_map):
    scipy.io.savemat(tmp_path / "map.mat", {"eyeMap": eye_map})
    with pytest.raises(UserError, match=r"map\.mat: eyeMap is not a matrix"):
        raw_layout.read_fixations(tmp_path / "map.mat")


def test_truncated_fixation_file_is_named(tiny_raw):
    path = RawLayout(tiny_raw).fixation_path("Mine", "short", 1)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"fixMap_00001\.mat: not a readable"):
        raw_layout.read_fixations(path)


# Steps of one sample, in units where full scale is 256: what a width can tell apart.
@pytest.mark.parametrize(
    ("subtype", "step"), [("PCM_U8", 2.0), ("PCM_16", 2.0**-7), ("PCM_24", 2.0**-15), ("FLOAT", 2.0**-15)]
)
def test_sound_of_any_width_has_one_range(tmp_path, subtype, step):
    seconds = np.arange(4410) / 44_100
    left, right = 0.7 * np.sin(2 * np.pi * 440 * seconds), 0.2 * np.cos(2 * np.pi * 1000 * seconds)
    soundfile.write(tmp_path / "film.wav", np.stack([left, right], axis=1), 44_100, subtype)
    found, rate_hz = raw_layout.read_sound(tmp_path / "film.wav")
    assert (rate_hz, len(found)) == (44_100, 4410)
    np.testing.assert_allclose(found, 256 * (left + right) / 2, rtol=0, atol=step)


@pytest.mark.parametrize(("promised", "kept"), [(0xFFFFFFFF, 1000), (4000, 1000), (1000, 500)])
def test_sound_whose_header_lies_gives_what_is_there(tmp_path, promised, kept):
    path, samples = tmp_path / "film.wav", np.arange(1000, dtype=np.int16)
    soundfile.write(path, samples, 8000)
    content = bytearray(path.read_bytes())
    size = content.index(b"data") + 4
    content[size : size + 4] = promised.to_bytes(4, "little")
    path.write_bytes(content)
    np.testing.assert_array_equal(raw_layout.read_sound(path)[0], samples[:kept] / np.float32(128))


@pytest.mark.parametrize(("sample", "told"), [(np.nan, "that are not numbers"), (-3e4, "up to 30000, where 1 is")])
def test_sound_of_no_numbers_or_of_another_scale_is_named(tmp_path, sample, told):
    soundfile.write(tmp_path / "film.wav", np.array([0.0, sample]), 8000, "FLOAT")
    with pytest.raises(UserError, match=rf"film\.wav: has samples {told}"):
        raw_layout.read_sound(tmp_path / "film.wav")
