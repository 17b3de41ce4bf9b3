"""The folder of a prediction appears complete and replaces only predictions; errors name the file at fault."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from data_pipelines.runtime.errors import UserError
from stavis_jax.outputs.folder import SETTINGS, finished_folder, is_done, write_prediction_settings

BEFORE, NOW = {"film": "film.mp4", "stride": 1}, {"film": "film.mp4", "stride": 2}


def write_prediction(folder: Path) -> Path:
    (folder / "maps").mkdir(parents=True)
    (folder / "maps" / "000001.png").write_bytes(b"a map")
    (folder / "overlay.mp4").write_bytes(b"a film")
    write_prediction_settings(folder, BEFORE, {})
    return folder


def finish(folder: Path, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Writes a prediction and calls `meanwhile` during the work."""
    with finished_folder(folder) as unfinished:
        write_prediction_settings(unfinished, NOW, {})
        meanwhile()


def replace(folder: Path) -> None:
    """Replaces a folder as --overwrite does."""
    assert not is_done(folder, NOW, overwrite=True)
    finish(folder)


def settings_in(folder: Path) -> dict:
    return json.loads((folder / SETTINGS).read_text())["settings"]


def test_a_prediction_is_replaced_whole(tmp_path):
    folder = write_prediction(tmp_path / "film")
    replace(folder)
    assert [path.name for path in folder.iterdir()] == [SETTINGS]
    assert settings_in(folder) == NOW
    assert list(tmp_path.iterdir()) == [folder]


def test_a_prediction_without_a_number_format_is_of_float32(tmp_path):
    """Version 0.1.0 had no other."""
    folder = write_prediction(tmp_path / "film")
    assert is_done(folder, BEFORE | {"dtype": "float32"}, overwrite=False)
    with pytest.raises(UserError, match=r"other settings \(dtype: float32, now: bfloat16\)"):
        is_done(folder, BEFORE | {"dtype": "bfloat16"}, overwrite=False)


@pytest.mark.parametrize("mark", [None, "", "[]", '{"settings": 1}', '{"settings": {}}'])
def test_what_has_no_mark_of_a_prediction_is_not_replaced_whatever_its_files_are_called(tmp_path, mark):
    folder = write_prediction(tmp_path / "film")
    (folder / SETTINGS).unlink()
    if mark is not None:
        (folder / SETTINGS).write_text(mark)
    for overwrite in (False, True):
        with pytest.raises(UserError, match="film: is not a prediction and is not overwritten"):
            is_done(folder, NOW, overwrite)


@pytest.mark.parametrize("name", ["notes.txt", "maps/notes.txt", "maps/000001.jpg", "more/000001.png", "maps/a/b.png"])
def test_a_prediction_with_a_file_of_the_users_is_not_replaced(tmp_path, name):
    folder = write_prediction(tmp_path / "film")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("mine")
    with pytest.raises(UserError, match=f"film: holds {name}, which is not part of a prediction"):
        is_done(folder, NOW, overwrite=True)
    assert is_done(folder, BEFORE, overwrite=False)  # nothing is replaced then


def test_what_systems_add_to_a_prediction_does_not_keep_it_from_being_replaced(tmp_path):
    folder = write_prediction(tmp_path / "film")
    (folder / "maps" / "@eaDir").mkdir()
    for name in (".DS_Store", "maps/Thumbs.db", "maps/._000001.png", "maps/@eaDir/000001.png@SynoEAStream"):
        (folder / name).touch()
    replace(folder)
    assert settings_in(folder) == NOW


def test_settings_may_begin_with_a_byte_order_mark(tmp_path):
    folder = write_prediction(tmp_path / "film")
    (folder / SETTINGS).write_text((folder / SETTINGS).read_text(), encoding="utf-8-sig")
    assert is_done(folder, BEFORE, overwrite=False)


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_empty_folder_may_be_there(tmp_path, overwrite):
    folder = tmp_path / "film"
    folder.mkdir()
    assert not is_done(folder, NOW, overwrite)
    finish(folder)
    assert settings_in(folder) == NOW


@pytest.mark.parametrize("target", ["prediction", "empty", "gone"])
def test_a_link_is_neither_followed_nor_replaced(tmp_path, target):
    write_prediction(tmp_path / "prediction")
    (tmp_path / "empty").mkdir()
    link = tmp_path / "film"
    link.symlink_to(tmp_path / target)
    with pytest.raises(UserError, match="film: is a link and is not replaced"):
        is_done(link, NOW, overwrite=True)
    if target != "prediction":
        with pytest.raises(UserError, match="film: is a link"):
            is_done(link, NOW, overwrite=False)
    assert link.is_symlink()
    assert settings_in(tmp_path / "prediction") == BEFORE


def test_a_prediction_behind_a_link_is_done(tmp_path):
    write_prediction(tmp_path / "elsewhere")
    (tmp_path / "film").symlink_to(tmp_path / "elsewhere")
    assert is_done(tmp_path / "film", BEFORE, overwrite=False)


def test_what_comes_there_during_the_work_is_kept(tmp_path):
    folder = tmp_path / "film"

    def come() -> None:
        folder.mkdir()
        (folder / "letter.txt").write_text("mine")

    with pytest.raises(UserError, match="film: is not a prediction"):
        finish(folder, come)
    assert [path.name for path in tmp_path.rglob("*")] == ["film", "letter.txt"]


def test_a_second_run_is_refused_and_the_first_one_not_disturbed(tmp_path):
    folder = tmp_path / "film"

    def second() -> None:
        with pytest.raises(UserError, match="film: another run is writing to it"):
            finish(folder)

    finish(folder, second)
    assert settings_in(folder) == NOW


def test_what_a_killed_run_left_is_cleared_away_whoever_has_its_process_number_now(tmp_path):
    left = tmp_path / ".film.unfinished" / "new" / "maps"
    left.mkdir(parents=True)
    (left / "000001.png").touch()
    with finished_folder(tmp_path / "film") as unfinished:
        assert list(unfinished.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["film"]


def test_a_name_as_long_as_the_file_system_takes_is_a_folder(tmp_path):
    names = ["a" * 250, "a" * 249 + "b", "映" * 85]

    def others() -> None:
        for name in names[1:]:  # their hidden folders are others
            finish(tmp_path / name)

    finish(tmp_path / names[0], others)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError("encoder error -2 when writing image file"), "film: cannot be written (encoder error -2 when writing"),
        (OSError(), "film: cannot be written (OSError)"),
        (PermissionError(13, "Permission denied", "/elsewhere/a.bin"), "/elsewhere/a.bin: Permission denied."),
        (PermissionError(13, "Permission denied", b"file:/elsewhere/a.mkv"), "/elsewhere/a.mkv: Permission denied."),
        (OSError(28, "No space left on device", 7), "film: cannot be written (No space left on device)"),
    ],
)
def test_a_fault_names_its_file_and_says_what_is_known(tmp_path, error, line):
    with pytest.raises(UserError) as told, finished_folder(tmp_path / "out" / "film"):
        raise error
    assert line in str(told.value)
    assert "None" not in str(told.value)
    assert list(tmp_path.iterdir()) == []
