from pathlib import Path

import pytest
from PIL import Image

from data_pipelines.films.paths import find_films
from data_pipelines.runtime.errors import UserError


@pytest.fixture
def tree(tmp_path, monkeypatch) -> Path:
    """films/: film2, film10, FILM3, notes; deep/: film1; frames/: pictures and a wav; empty/. Stands in it."""
    for folder in ("films/deep", "frames", "empty"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("film10.mp4", "film2.mkv", "FILM3.MOV", "notes.txt", ".hidden.mp4", "cover.jpg", "deep/film1.ts"):
        (tmp_path / "films" / name).touch()
    for number in (1, 2):
        Image.new("RGB", (4, 4)).save(tmp_path / "frames" / f"{number}.png")
    (tmp_path / "frames" / "sound.wav").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*paths: str) -> list[str]:
    return [str(path) for path in find_films(paths)]


def test_files_are_films_whatever_their_names(tree):
    assert names("films/notes.txt", "films/film2.mkv") == ["films/notes.txt", "films/film2.mkv"]


def test_a_folder_gives_its_own_films_in_natural_order(tree):
    assert names("films") == ["films/film2.mkv", "films/FILM3.MOV", "films/film10.mp4"]


def test_a_folder_of_pictures_is_one_film(tree):
    assert names("frames") == ["frames"]


def test_patterns_give_films_and_folders_of_pictures(tree):
    assert names("films/*1*") == ["films/film10.mp4"]
    assert names("f*/film?.m*") == ["films/film2.mkv"]
    assert names("fr*") == ["frames"]
    assert names("films/**/*.ts") == ["films/deep/film1.ts"]
    assert sorted(names("*")) == ["films/FILM3.MOV", "films/film10.mp4", "films/film2.mkv", "frames"]
    assert len(names("**")) == 5


def test_a_film_named_twice_counts_once(tree):
    Path("link.mp4").symlink_to("films/film2.mkv")
    assert names("films/film2.mkv", "films/*.mkv", "films", "link.mp4", str(tree / "films" / "film2.mkv")) == [
        "films/film2.mkv",
        "films/FILM3.MOV",
        "films/film10.mp4",
    ]
    assert names("link.mp4") == ["link.mp4"]


def test_names_that_look_like_patterns_or_flags_are_files_first(tree):
    for name in ("film[1].mp4", "what?.mp4", "-film.mp4", "a:b.mp4", 'it\'s "ü".mp4'):
        Path(name).touch()
        assert names(name) == [name]


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("none.mp4", "no such file or folder"),
        ("none*.mp4", "matches nothing"),
        ("films/*.txt", "matches no film, only notes.txt"),
        ("empty", "holds no film and no pictures"),
        ("dangling.mp4", "is a link to nothing"),
    ],
)
def test_what_gives_no_film_is_named(tree, path, fault):
    Path("dangling.mp4").symlink_to("gone.mp4")
    with pytest.raises(UserError) as raised:
        find_films(["films/film2.mkv", path])
    assert str(raised.value).startswith(f"{path}: {fault}")


def test_what_systems_add_to_folders_is_no_film(tree):
    for folder in ("films", "frames"):
        (tree / folder / "@eaDir" / "film2.mkv").mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(tree / folder / "@eaDir" / "film2.mkv" / "SYNOVIDEO.jpg")
        (tree / folder / "@eaDir" / "other.mp4").touch()
        for name in ("._film2.mkv", "._1.png", "Thumbs.db", ".DS_Store"):
            (tree / folder / name).touch()
    assert names("films") == ["films/film2.mkv", "films/FILM3.MOV", "films/film10.mp4"]
    assert len(names("**")) == 5
    assert names("films/**/*.m*") == ["films/film2.mkv", "films/film10.mp4"]
    assert names("films/@eaDir/*.mp4") == ["films/@eaDir/other.mp4"]
