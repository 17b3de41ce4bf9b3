"""Shards and the clips read from them."""

import json
import pickle
import shutil
import sys

import numpy as np
import pytest

from data_pipelines import open_clips
from data_pipelines.inputs import windows
from data_pipelines.raw.layout import RawLayout, read_sound
from data_pipelines.runtime.errors import UserError
from data_pipelines.shards.reader import DATASET_NAME, Shards
from data_pipelines.shards.records import film_path


def test_tfds_reads_the_same_without_tensorflow(tiny_shards):
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(tiny_shards)
    source, shards = builder.as_data_source("frames"), Shards(tiny_shards)
    assert len(source) == sum(film.num_frames for film in shards.films) == builder.info.splits["frames"].num_examples
    position = 0
    for film, stored in enumerate(shards.films):
        for frame in (1, stored.num_frames):
            theirs, ours = source[position + frame - 1], shards.read(film, frame)
            assert (theirs["database"].decode(), theirs["video"].decode(), theirs["frame"]) == (
                "Mine",
                stored.name,
                frame,
            )
            for key in ("image", "density", "fixations", "sound"):
                np.testing.assert_array_equal(theirs[key], getattr(ours, key))
                assert theirs[key].dtype == getattr(ours, key).dtype
        position += stored.num_frames
    assert "tensorflow" not in sys.modules


def test_films_keep_what_is_known_of_them(tiny_shards):
    films = {film.name: film for film in Shards(tiny_shards).films}
    assert (films["long"].database, films["long"].num_frames, films["long"].fps) == ("Mine", 100, 10.0)
    assert (films["long"].sound_rate_hz, films["long"].num_samples) == (8000, 80_000)
    assert (films["mute"].sound_rate_hz, films["mute"].num_samples) == (0, 0)
    assert (films["long"].annotation_height, films["long"].annotation_width) == (10, 12)


def test_sound_over_any_frames_is_the_files_own_samples(tiny_shards):
    layout, source = RawLayout(tiny_shards.parent / "raw"), open_clips(tiny_shards, "train", 1, "test")
    for index in (0, 3, 18, 40):  # from the start, from the middle, a short one, one of the other film
        frames, film = source.frames(index), source.films[source.film_index(index)]
        sound, rate_hz = read_sound(layout.sound_path(film.database, film.name))
        begin = windows.sound_limits(frames[0], film.fps, rate_hz, len(sound))[0]
        end = windows.sound_limits(frames[-1], film.fps, rate_hz, len(sound))[1]
        np.testing.assert_array_equal(source[index]["waveform"], windows.waveform(sound[begin : end + 1]))


def test_sound_shorter_than_its_film_ends_where_it_ends(tmp_path, film_writer, list_writer):
    from data_pipelines.prepare import prepare

    film_writer(tmp_path, "Mine", "clip", 40, fps=20)  # 2 seconds of sound,
    list_writer(tmp_path, "Mine_list_train_1_fps.txt", "clip 40 10\n")  # 4 of film
    source = open_clips(prepare(tmp_path, tmp_path / "shards", size=8, workers=1), windows="test")
    sound, _ = read_sound(RawLayout(tmp_path).sound_path("Mine", "clip"))
    np.testing.assert_array_equal(source[9]["waveform"], windows.waveform(sound[8 * 800 + 400 :]))
    np.testing.assert_array_equal(source[20]["waveform"], windows.waveform(sound[20 * 800 - 400 :]))
    assert not source[23]["waveform"].any()


def test_film_without_sound_is_silent(tiny_shards):
    item = open_clips(tiny_shards, "test")[0]
    assert item["video"] == "mute"
    assert not item["waveform"].any()


def test_item_is_what_the_docstring_says(tiny_shards):
    item = open_clips(tiny_shards, "test", windows="validation")[1]
    shapes = {key: (item[key].shape, item[key].dtype) for key in ("clip", "waveform", "density", "fixations")}
    assert shapes == {
        "clip": ((16, 8, 8, 3), np.float32),
        "waveform": ((35_280,), np.float32),
        "density": ((8, 8), np.float32),
        "fixations": ((8, 8), np.float32),
    }
    assert (item["database"], item["video"], item["target_frame"]) == ("Mine", "short", 10)
    assert item["frames"].tolist() == list(range(3, 19))
    assert set(np.unique(item["fixations"])) == {0.0, 1.0}
    assert item["density"].max() > 1


def test_training_item_is_the_whole_window_and_any_16_frames_of_it_can_be_read(tiny_shards):
    source = open_clips(tiny_shards)
    assert [len(source.frames(index)) for index in range(len(source))] == [20, 90, 26]
    whole, part = source[1], source.read(1, range(41, 57))
    assert whole["clip"].shape == (90, 8, 8, 3)
    assert whole["target_frame"] == 46  # the median, 45.5
    np.testing.assert_array_equal(part["clip"], whole["clip"][40:56])
    assert part["target_frame"] == 48


def test_indices_count_from_the_end_too_and_stop_there(tiny_shards):
    source = open_clips(tiny_shards, "test")
    assert source[-1]["frames"].tolist() == source[len(source) - 1]["frames"].tolist()
    for index in (len(source), -len(source) - 1):
        with pytest.raises(IndexError):
            source[index]


def test_frame_outside_a_film_is_refused(tiny_shards):
    with pytest.raises(IndexError):
        Shards(tiny_shards).read(0, 0)


def test_clips_can_be_sent_to_another_process(tiny_shards):
    source = open_clips(tiny_shards, "test")
    first = source[0]  # with a file open
    sent = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(sent[0]["clip"], first["clip"])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"split": 4}, "no train films of split 4"),
        ({"subset": "valid", "windows": "test"}, "no valid films"),
        ({"windows": "valid"}, "windows: 'valid'"),
        ({"databases": ["DIEM"]}, "databases: 'DIEM' is not in"),
    ],
)
def test_what_is_not_there_is_named(tiny_shards, arguments, expected):
    with pytest.raises(UserError, match=expected):
        open_clips(tiny_shards, **arguments)


def test_folder_without_shards_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no shards"):
        open_clips(tmp_path)


def test_missing_file_is_named(tiny_shards, tmp_path):
    folder = shutil.copytree(tiny_shards, tmp_path / "shards")
    film_path(folder, DATASET_NAME, 0, 3).unlink()
    with pytest.raises(UserError, match="00000-of-00003: the file is missing"):
        open_clips(folder)[0]


def test_shards_of_another_version_are_refused(tiny_shards, tmp_path):
    folder = shutil.copytree(tiny_shards, tmp_path / "shards")
    metadata = json.loads((folder / "metadata.json").read_text())
    (folder / "metadata.json").write_text(json.dumps(metadata | {"format_version": 0}))
    with pytest.raises(UserError, match="another version"):
        open_clips(folder)


def test_database_without_a_list_is_left_out_with_a_warning(tmp_path, film_writer, list_writer, caplog):
    from data_pipelines.prepare import prepare

    for database, split in (("One", 1), ("Two", 2)):
        film_writer(tmp_path, database, "clip", 4)
        list_writer(tmp_path, f"{database}_list_test_{split}_fps.txt", "clip 4 10\n")
    shards = prepare(tmp_path, tmp_path / "shards", size=8, workers=1)
    assert {item["database"] for item in open_clips(shards, "test", 2)} == {"Two"}
    assert "no test films of split 2 for One, which is left out" in caplog.text
    with pytest.raises(UserError, match="no test films of split 2 for One"):
        open_clips(shards, "test", 2, databases=["One"])
