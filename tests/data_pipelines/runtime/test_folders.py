import pytest

from data_pipelines.runtime.folders import entries, is_free, subfolders

OF_SYSTEMS = (
    "@eaDir",
    "#recycle",
    "__MACOSX",
    "$RECYCLE.BIN",
    "System Volume Information",
    "lost+found",
    ".Trash-1000",
)


@pytest.fixture
def folder(tmp_path):
    for name in (*OF_SYSTEMS, "Mine", "eaDir", "@mine"):
        (tmp_path / name).mkdir()
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._film.mp4", "film.mp4"):
        (tmp_path / name).touch()
    return tmp_path


def test_only_the_users_files_and_folders_are_listed(folder):
    assert [path.name for path in entries(folder)] == ["@mine", "Mine", "eaDir", "film.mp4"]
    assert [path.name for path in subfolders(folder)] == ["@mine", "Mine", "eaDir"]
    assert subfolders(folder / "missing") == subfolders(folder / "film.mp4") == []


def test_a_folder_with_files_of_systems_alone_is_free(tmp_path):
    assert is_free(tmp_path / "missing") and is_free(tmp_path)
    for name in (".DS_Store", "Thumbs.db", "._x"):
        (tmp_path / name).touch()
    assert is_free(tmp_path)
    assert not is_free(tmp_path / ".DS_Store")
    (tmp_path / ".git").mkdir()
    assert not is_free(tmp_path)
