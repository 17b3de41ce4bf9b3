"""Preparing films some of which have missing or damaged files: an error that names the file, or a film less."""

import shutil

import numpy as np
import pytest
import scipy.io

from data_pipelines import open_clips
from data_pipelines.prepare import main, prepare
from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime.errors import UserError
from data_pipelines.shards.reader import Shards


def cut_frame(layout):
    path = layout.frame_path("Mine", "short", 7)
    path.write_bytes(path.read_bytes()[:-200])
    return path


def no_frame(layout):
    path = layout.frame_path("Mine", "short", 7)
    path.unlink()
    return path


def no_density(layout):
    path = layout.density_path("Mine", "short", 20)
    path.unlink()
    return path


def other_key(layout):
    path = layout.fixation_path("Mine", "short", 7)
    scipy.io.savemat(path, {"fixations": np.zeros((10, 12))})
    return path


def no_sound_file(layout):
    path = layout.sound_path("Mine", "short")
    path.write_bytes(b"RIFF no sound")
    return path


DAMAGES = [cut_frame, no_frame, no_density, other_key, no_sound_file]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_file_is_named(tiny_raw, tmp_path, damage):
    path = damage(RawLayout(tiny_raw))
    with pytest.raises(UserError, match=f"{path}: .*--skip-damaged"):
        prepare(tiny_raw, tmp_path / "shards", size=8, workers=1)
    assert not (tmp_path / "shards").exists()


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_film_is_left_out_of_films_and_lists_on_demand(tiny_raw, tiny_shards, tmp_path, damage, caplog):
    path = damage(RawLayout(tiny_raw))
    shards = Shards(prepare(tiny_raw, tmp_path / "shards", size=8, workers=1, skip_damaged=True))
    assert [film.name for film in shards.films] == ["long", "mute"]
    assert shards.lists["train"]["2"] == [0]
    assert shards.lists["test"]["3"] == [1]
    (message,) = [record.message for record in caplog.records if "left out" in record.message]
    assert message.startswith(f"1 of 3 films are damaged and left out: {path}: ")
    kept, whole = open_clips(shards.folder, windows="test"), open_clips(tiny_shards, windows="test")
    np.testing.assert_array_equal(kept[50]["clip"], whole[19 + 50]["clip"])  # 19 clips of the film left out


def test_nothing_left_is_an_error(tiny_raw, tmp_path):
    shutil.rmtree(tiny_raw / "annotations")
    for folder in ("long", "short", "mute"):
        (tiny_raw / "annotations" / "Mine" / folder).mkdir(parents=True)
    with pytest.raises(UserError, match=r"No film is left: all 3 .*first: .*eyeMap_00001\.jpg"):
        prepare(tiny_raw, tmp_path / "shards", size=8, workers=1, skip_damaged=True)
    assert not (tmp_path / "shards").exists()


def test_film_of_a_list_that_is_not_there_is_counted_in_a_warning(tiny_raw, list_writer, tmp_path, caplog):
    list_writer(tiny_raw, "Mine_list_train_fps.txt", "short 20 10\nnowhere 30 25\n")
    shards = Shards(prepare(tiny_raw, tmp_path / "shards", size=8, workers=1))
    assert "nowhere" not in {film.name for film in shards.films}
    assert "1 of 3 listed films are skipped; first: Mine/nowhere has no folder" in caplog.text


def test_empty_list_is_named(tiny_raw, list_writer, tmp_path):
    list_writer(tiny_raw, "Mine_list_train_fps.txt", "\n")
    with pytest.raises(UserError, match=r"Mine_list_train_fps\.txt: lists no film"):
        prepare(tiny_raw, tmp_path / "shards", size=8, workers=1, skip_damaged=True)


def test_command_skips_when_told(tiny_raw, tmp_path, capsys):
    cut_frame(RawLayout(tiny_raw))
    flags = ["--data", str(tiny_raw), "--output", str(tmp_path / "shards"), "--size", "8", "--workers", "1"]
    with pytest.raises(SystemExit, match=r"error: .*img_00007\.jpg"):
        main(flags)
    main([*flags, "--skip-damaged"])
    assert "2 films, 105 frames" in capsys.readouterr().out
