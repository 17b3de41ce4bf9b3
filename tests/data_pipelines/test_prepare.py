"""The command that makes shards: what it stores, and that it leaves nothing half-done."""

import json
import sys

import numpy as np
import pytest
import soundfile

from data_pipelines import open_clips
from data_pipelines.prepare import main, prepare
from data_pipelines.raw import layout
from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime.errors import UserError
from data_pipelines.shards import datasets
from data_pipelines.shards.reader import Shards


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir())


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_processes_write_the_same_as_one(tiny_raw, tiny_shards, tmp_path):
    output = prepare(tiny_raw, tmp_path / "shards", size=8, workers=2)
    assert contents(output) == contents(tiny_shards)
    assert leftovers(tmp_path) == ["raw", "shards"]


def test_frames_are_stored_once_whatever_the_number_of_lists(tiny_shards):
    shards = Shards(tiny_shards)
    assert sorted(film.name for film in shards.films) == ["long", "mute", "short"]
    assert len(list(tiny_shards.glob("*array_record*"))) == 3


def test_sound_is_stored_exactly(tiny_shards):
    shards = Shards(tiny_shards)
    for film, stored in enumerate(shards.films):
        if stored.name == "short":
            sound, _ = layout.read_sound(RawLayout(tiny_shards.parent / "raw").sound_path("Mine", "short"))
            parts = [shards.read(film, frame).sound for frame in range(1, 21)]
            np.testing.assert_array_equal(np.concatenate([parts[0], *(part[1:] for part in parts[1:])]), sound[:15_601])


def test_settings_are_recorded(tiny_raw, tmp_path):
    shards = Shards(prepare(tiny_raw, tmp_path / "shards", size=6, resize_filter="nearest", workers=1))
    assert (shards.size, shards.resize_filter) == (6, "nearest")


def test_clips_keep_the_order_of_the_lists(tiny_shards):
    source = open_clips(tiny_shards, "train")
    assert [source.films[source.film_index(index)].name for index in range(3)] == ["short", "long", "long"]
    source = open_clips(tiny_shards, "test", windows="validation")
    assert [item["video"] for item in source] == ["mute", "short"]


def test_films_without_sound_are_counted_in_one_warning(tiny_raw, tmp_path, caplog):
    prepare(tiny_raw, tmp_path / "shards", size=8, workers=1)
    (message,) = [record.message for record in caplog.records if "sound" in record.message]
    assert message.startswith("1 of 3 films have no sound")
    assert "mute.wav" in message


def test_contradicting_lists_are_counted_in_a_warning_and_the_first_is_followed(
    tiny_raw, list_writer, tmp_path, caplog
):
    list_writer(tiny_raw, "Mine_list_test_fps.txt", "mute 5 10\nshort 19 12\n")
    shards = Shards(prepare(tiny_raw, tmp_path / "shards", size=8, workers=1))
    assert "3 lines of fold_lists contradict" in caplog.text
    assert {(film.num_frames, film.fps) for film in shards.films if film.name == "short"} == {(20, 10.0)}


@pytest.mark.parametrize("kind", ["frame_path", "density_path", "fixation_path"])
def test_gap_in_a_film_is_named_before_anything_is_written(tiny_raw, tmp_path, kind):
    path = getattr(RawLayout(tiny_raw), kind)("Mine", "short", 11)
    path.unlink()
    with pytest.raises(UserError, match=f"{path.name}: the file is missing, of 20 frames"):
        prepare(tiny_raw, tmp_path / "shards", size=8, workers=1)
    assert leftovers(tmp_path) == ["raw"]


def test_damaged_frame_is_named_and_nothing_is_left(tiny_raw, tmp_path):
    path = RawLayout(tiny_raw).frame_path("Mine", "long", 50)
    path.write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"img_00050\.jpg: not a readable picture"):
        prepare(tiny_raw, tmp_path / "shards", size=8, workers=1)
    assert leftovers(tmp_path) == ["raw"]


def test_damaged_frame_is_named_from_another_process(tiny_raw, tmp_path):
    path = RawLayout(tiny_raw).frame_path("Mine", "long", 50)
    path.write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"img_00050\.jpg: not a readable picture"):
        prepare(tiny_raw, tmp_path / "shards", size=8, workers=2)
    assert not (tmp_path / "shards").exists()


def test_existing_output_is_kept_unless_told(tiny_raw, tmp_path):
    output = prepare(tiny_raw, tmp_path / "shards", size=8, workers=1)
    with pytest.raises(UserError, match=r"shards: exists already.*--overwrite"):
        prepare(tiny_raw, output, size=6, workers=1)
    assert Shards(output).size == 8
    prepare(tiny_raw, output, size=6, workers=1, overwrite=True)
    assert Shards(output).size == 6
    assert leftovers(tmp_path) == ["raw", "shards"]


def test_failed_overwrite_keeps_the_old_shards(tiny_raw, tmp_path):
    output = prepare(tiny_raw, tmp_path / "shards", size=8, workers=1)
    RawLayout(tiny_raw).frame_path("Mine", "long", 50).write_bytes(b"no picture")
    with pytest.raises(UserError):
        prepare(tiny_raw, output, size=6, workers=1, overwrite=True)
    assert leftovers(tmp_path) == ["raw", "shards"]
    assert Shards(output).size == 8
    assert open_clips(output)[0]["clip"].shape == (20, 8, 8, 3)


def test_folder_of_other_things_is_never_overwritten(tiny_raw, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("dear")
    with pytest.raises(UserError, match="holds no shards"):
        prepare(tiny_raw, tmp_path / "letters", size=8, workers=1, overwrite=True)
    assert (tmp_path / "letters" / "dear.txt").read_text() == "dear"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"size": 0}, "size: 0"),
        ({"resize_filter": "cubic"}, "resize_filter: 'cubic'"),
        ({"databases": ["AVAD"]}, "databases: 'AVAD'"),
        ({"workers": 0}, "workers: 0"),
        ({"workers": 2, "runner": "DirectRunner"}, "workers: a Beam runner has its own"),
    ],
)
def test_bad_settings_are_named(tiny_raw, tmp_path, arguments, expected):
    with pytest.raises(UserError, match=expected):
        prepare(tiny_raw, tmp_path / "shards", **arguments)


def test_command_takes_databases_and_ends_in_one_line(tiny_raw, tmp_path, film_writer, list_writer, capsys):
    film_writer(tiny_raw, "Other", "clip", 4)
    list_writer(tiny_raw, "Other_list_train_1_fps.txt", "clip 4 25\n")
    flags = ["--size", "8", "--workers", "1", "--databases", "Other,Other"]
    main(["--data", str(tiny_raw), "--output", str(tmp_path / "shards"), *flags])
    assert "1 films, 4 frames of 8 x 8" in capsys.readouterr().out
    assert {film.database for film in Shards(tmp_path / "shards").films} == {"Other"}


def test_command_ends_with_a_line_and_a_code_on_a_fault(tmp_path):
    with pytest.raises(SystemExit, match=r"error: .*nowhere: has no folder video_frames"):
        main(["--data", str(tmp_path / "nowhere"), "--output", str(tmp_path / "shards")])


def test_short_sound_is_counted_in_one_warning(tiny_raw, film_writer, list_writer, tmp_path, caplog):
    film_writer(tiny_raw, "Other", "cut", 20, fps=20)  # 1 second of sound, 2 of film
    film_writer(tiny_raw, "Other", "cut_more", 20, fps=25)
    list_writer(tiny_raw, "Other_list_train_1_fps.txt", "cut 20 10\ncut_more 20 10\n")
    prepare(tiny_raw, tmp_path / "shards", size=8, workers=1, databases=["Other"])
    (message,) = [record.message for record in caplog.records if "when their sound ends" in record.message]
    assert message.startswith("1 of 2 films")
    assert message.endswith("cut_more.wav has 0.8 s of 2.0 s.")


def test_full_disk_is_one_line(tiny_raw, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(datasets.Dataset, "file_name", "/dev/full")
    with pytest.raises(SystemExit, match="error: /dev/full: No space left on device"):
        main(["--data", str(tiny_raw), "--output", str(tmp_path / "shards"), "--size", "8", "--workers", "1"])
    assert leftovers(tmp_path) == ["raw"]


def test_missing_beam_says_what_to_install(tiny_raw, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(UserError, match=r"--runner DirectRunner: Apache Beam cannot be imported.*pip install"):
        prepare(tiny_raw, tmp_path / "shards", size=8, runner="DirectRunner")
    assert leftovers(tmp_path) == ["raw"]


def test_beam_options_need_a_runner(tiny_raw, tmp_path):
    flags = ["--data", str(tiny_raw), "--output", str(tmp_path / "shards")]
    with pytest.raises(SystemExit, match="error: --beam-options: needs --runner"):
        main([*flags, "--beam-options", "--direct_num_workers=2"])


def test_metadata_holds_the_lists(tiny_shards):
    metadata = json.loads((tiny_shards / "metadata.json").read_text())
    names = [film["name"] for film in metadata["films"]]
    assert [names[film] for film in metadata["lists"]["test"]["3"]] == ["mute", "short"]


@pytest.mark.parametrize(("left", "right", "told"), [(1, -1, True), (1, -0.99, True), (1, 0, False), (1, 1, False)])
def test_sound_that_cancels_itself_is_counted_in_one_warning(tiny_raw, tmp_path, caplog, left, right, told):
    path = RawLayout(tiny_raw).sound_path("Mine", "short")
    tone = 0.5 * np.sin(np.arange(22_050) / 10)
    soundfile.write(path, np.stack([left * tone, right * tone], axis=1), 22_050)
    prepare(tiny_raw, tmp_path / "shards", size=8, workers=2)
    messages = [record.message for record in caplog.records if "cancel each other" in record.message]
    assert len(messages) == told
    assert all(message.startswith("1 of 3 films") and message.endswith("short.wav.") for message in messages)


def test_a_short_sound_without_samples_is_counted_too(tiny_raw, tmp_path, caplog):
    soundfile.write(RawLayout(tiny_raw).sound_path("Mine", "short"), np.zeros(0), 22_050)
    prepare(tiny_raw, tmp_path / "shards", size=8, workers=1)
    assert any("short.wav has 0.0 s" in record.message for record in caplog.records)
