"""Who trains and who tests, from files and from the supplement's Table 3."""

import logging

import pytest

from data_pipelines.raw.fold_lists import ListedFilm, read_all_lists, read_films
from data_pipelines.raw.layout import RawLayout
from data_pipelines.raw.list_files import STANDARD_FRAME_RATES_HZ
from data_pipelines.runtime.errors import UserError


def test_films_follow_their_list(tiny_raw):
    found = read_films(RawLayout(tiny_raw), "train", 2)
    assert found == [ListedFilm("Mine", "short", 20, 10.0), ListedFilm("Mine", "long", 100, 10.0)]


def test_diem_has_one_list_for_every_split_and_the_others_three(golden_layout, caplog):
    assert [film.name for film in read_films(golden_layout, "test", 1)] == ["beta", "alpha", "gamma"]
    assert not caplog.records
    read_films(golden_layout, "test", 3)
    assert "1 of 4 listed films are skipped; first: AVAD/ghost has no folder" in caplog.text


def test_list_of_a_split_goes_before_the_one_for_all(tiny_raw, list_writer):
    list_writer(tiny_raw, "Mine_list_train_2_fps.txt", "\nmy long film 7 29.97\n\n")
    (tiny_raw / "video_frames" / "Mine" / "long").rename(tiny_raw / "video_frames" / "Mine" / "my long film")
    (tiny_raw / "annotations" / "Mine" / "long").rename(tiny_raw / "annotations" / "Mine" / "my long film")
    assert read_films(RawLayout(tiny_raw), "train", 2) == [ListedFilm("Mine", "my long film", 7, 29.97)]


@pytest.mark.parametrize(
    "line", ["short 20", "short twenty 10", "short 20 fast", "short 20 0", "short 20 nan", "short 0 10"]
)
def test_bad_line_is_named_with_its_number(tiny_raw, list_writer, line):
    list_writer(tiny_raw, "Mine_list_train_fps.txt", f"long 100 10\n{line}\n")
    expected = f"fold_lists/Mine_list_train_fps.txt, line 2: expected 'name frames fps', found '{line}'"
    with pytest.raises(UserError, match=expected):
        read_films(RawLayout(tiny_raw), "train", 1)


@pytest.mark.parametrize(
    "name", ["FILME\u0301 EINS", "Filmé\u00a0eins", '"Filmé eins"', "filmé eins.mp4", "Filmé eins"]
)
def test_a_name_in_a_list_may_differ_from_the_folders_in_form(tiny_raw, list_writer, name, caplog):
    for kind in ("video_frames", "annotations"):
        (tiny_raw / kind / "Mine" / "long").rename(tiny_raw / kind / "Mine" / "Filme\u0301 eins")
    list_writer(tiny_raw, "Mine_list_test_fps.txt", f"{name} 100 10\n")
    assert [film.name for film in read_films(RawLayout(tiny_raw), "test", 1)] == ["Filme\u0301 eins"]
    assert not caplog.records


def test_a_name_with_other_capitals_must_be_of_one_film(tiny_raw, list_writer, film_writer):
    film_writer(tiny_raw, "Mine", "Long", 12)
    list_writer(tiny_raw, "Mine_list_train_fps.txt", "long 100 10\nLong 12 10\n")
    assert [film.name for film in read_films(RawLayout(tiny_raw), "train", 1)] == ["long", "Long"]
    list_writer(tiny_raw, "Mine_list_train_fps.txt", "LONG 100 10\n")
    with pytest.raises(UserError, match="has none of the films listed"):
        read_films(RawLayout(tiny_raw), "train", 1)


def test_empty_list_is_named(tiny_raw, list_writer):
    list_writer(tiny_raw, "Mine_list_test_fps.txt", "\n")
    with pytest.raises(UserError, match=r"Mine_list_test_fps\.txt: lists no film"):
        read_films(RawLayout(tiny_raw), "test", 1)


def test_missing_list_is_named(tiny_raw):
    (tiny_raw / "fold_lists" / "Mine_list_test_fps.txt").unlink()
    with pytest.raises(UserError, match=r"fold_lists/Mine_list_test_1_fps\.txt: the list is missing"):
        read_films(RawLayout(tiny_raw), "test", 1)


def test_film_of_one_frame_is_skipped_with_a_warning(tiny_raw, list_writer, caplog):
    list_writer(tiny_raw, "Mine_list_train_fps.txt", "short 1 10\nlong 100 10\n")
    assert [film.name for film in read_films(RawLayout(tiny_raw), "train", 1)] == ["long"]
    assert "Mine/short has a single frame" in caplog.text


def test_lists_of_absent_films_only_are_an_error(tiny_raw, list_writer):
    list_writer(tiny_raw, "Mine_list_train_fps.txt", "other 20 10\n")
    with pytest.raises(UserError, match="has none of the films listed for train, split 1"):
        read_films(RawLayout(tiny_raw), "train", 1)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(("train", 1, ["Yours"]), "databases: 'Yours'"), (("valid", 1), "subset: 'valid'"), (("train", 4), "split: 4")],
)
def test_what_is_not_known_is_named(tiny_raw, arguments, expected):
    with pytest.raises(UserError, match=expected):
        read_films(RawLayout(tiny_raw), *arguments)


@pytest.fixture
def etmd(tmp_path, film_writer):
    """Films of ETMD without lists; one with a name as in the archives, not as in the paper."""
    for video in ("CHI_1_color", "chi_2_color_640x480", "CRA_1_color"):
        film_writer(tmp_path, "ETMD_av", video, 12, fps=23.9)
    return RawLayout(tmp_path)


def test_without_lists_table_3_tells_who_tests_and_all_others_train(etmd, caplog):
    caplog.set_level(logging.ERROR)  # the films of the table that are not there
    assert {film.name for film in read_films(etmd, "test", 1)} == {"CHI_1_color", "chi_2_color_640x480"}
    assert [film.name for film in read_films(etmd, "train", 1)] == ["CRA_1_color"]
    assert [film.name for film in read_films(etmd, "test", 2)] == ["CRA_1_color"]


def test_without_lists_frames_are_counted_and_the_rate_is_the_nearest_standard_one(etmd, film_writer):
    film = read_films(etmd, "train", 1)[0]
    assert film.num_frames == 12
    assert film.fps == pytest.approx(24000 / 1001)


def test_without_lists_and_table_3_a_database_is_refused(tmp_path, film_writer):
    film_writer(tmp_path, "Mine", "clip", 3)
    for read in (lambda layout: read_films(layout, "train", 1), read_all_lists):
        with pytest.raises(UserError, match=r"Mine_list_train_1_fps\.txt: the list is missing"):
            read(RawLayout(tmp_path))


def test_all_lists_together_warn_once_of_a_film(golden_layout, caplog):
    lists = read_all_lists(golden_layout)
    assert [film.name for film in lists["train"][2]] == ["alpha", "beta", "gamma"]
    assert lists["test"][2] == read_films(golden_layout, "test", 2)
    both, skipped = [record.message for record in caplog.records]
    assert both.startswith("3 films are in the training list and in the test list of a split; first: DIEM/alpha")
    assert skipped.startswith("1 of 4 listed films are skipped; first: AVAD/ghost has no folder")


def test_a_database_need_not_have_every_split(tiny_raw, list_writer):
    (tiny_raw / "fold_lists" / "Mine_list_train_fps.txt").rename(tiny_raw / "fold_lists" / "Mine_list_train_2_fps.txt")
    lists = read_all_lists(RawLayout(tiny_raw))
    assert [len(lists["train"][split]) for split in (1, 2, 3)] == [0, 2, 0]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_byte_order_mark_is_no_part_of_a_name(tiny_raw, encoding, line_end):
    text = line_end.join(["short 20 10", "long 100 10", ""])
    (tiny_raw / "fold_lists" / "Mine_list_train_fps.txt").write_bytes(text.encode(encoding))
    found = read_films(RawLayout(tiny_raw), "train", 1)
    assert found == [ListedFilm("Mine", "short", 20, 10.0), ListedFilm("Mine", "long", 100, 10.0)]


def test_folders_of_systems_are_no_databases_and_no_films(tiny_raw):
    for folder in (tiny_raw / "video_frames", tiny_raw / "video_frames" / "Mine", tiny_raw / "annotations" / "Mine"):
        for name in ("@eaDir", "$RECYCLE.BIN"):
            (folder / name).mkdir()
    (tiny_raw / "fold_lists" / "._Mine_list_train_fps.txt").write_bytes(b"\0\5\26\7")
    layout = RawLayout(tiny_raw)
    assert layout.databases() == ["Mine"]
    assert layout.videos("Mine") == ["long", "mute", "short"]
    assert len(read_films(layout, "train", 1)) == 2


def test_frames_from_0_are_named(tiny_raw):
    path = RawLayout(tiny_raw).frame_path("Mine", "short", 0)
    path.touch()
    with pytest.raises(UserError, match=r"img_00000\.jpg: frames are numbered from 1"):
        RawLayout(tiny_raw).num_frames("Mine", "short")


def rename_film(raw, name, new_name):
    for folder in ("video_frames", "annotations"):
        (raw / folder / "Mine" / name).rename(raw / folder / "Mine" / new_name)


@pytest.mark.parametrize("rest", ["1", "extra", "1 2 3", "0.5 note"])
@pytest.mark.parametrize("name", ["long", "my long film", "film 7 12"])
def test_columns_after_the_frame_rate_are_ignored(tiny_raw, list_writer, name, rest):
    list_writer(tiny_raw, "Mine_list_train_fps.txt", f"{name} 100 10 {rest}\n")
    if name != "long":
        rename_film(tiny_raw, "long", name)
    assert read_films(RawLayout(tiny_raw), "train", 1) == [ListedFilm("Mine", name, 100, 10.0)]


def test_a_line_that_may_mean_two_films_is_refused(tiny_raw, list_writer):
    list_writer(tiny_raw, "Mine_list_train_fps.txt", "short 20 25 10\n")
    rename_film(tiny_raw, "long", "short 20")
    with pytest.raises(UserError, match=r"line 1: may mean the film 'short 20' or 'short', and both exist"):
        read_films(RawLayout(tiny_raw), "train", 1)


def test_lists_without_a_frame_rate_in_their_names_are_read(tiny_raw):
    """Otherwise Table 3 would decide, and a test film of the list would be trained with."""
    for path in (tiny_raw / "fold_lists").iterdir():
        lines = [" ".join(line.split()[:2]) for line in path.read_text().splitlines()]
        path.with_name(path.name.replace("_fps", "")).write_text("\n".join(lines))
        path.unlink()
    found = read_films(RawLayout(tiny_raw), "train", 2)
    assert [(film.name, film.num_frames) for film in found] == [("short", 20), ("long", 100)]
    assert all(film.fps in STANDARD_FRAME_RATES_HZ for film in found)


def test_lists_without_a_frame_rate_of_a_paper_database_go_before_table_3(etmd):
    tests, trains = [], []
    for video in sorted(path.name for path in (etmd.root / "video_frames" / "ETMD_av").iterdir()):
        (trains if tests else tests).append(f"{video} 20 25")
    (etmd.root / "fold_lists").mkdir(exist_ok=True)
    for subset, lines in (("test", tests), ("train", trains)):
        (etmd.root / "fold_lists" / f"ETMD_av_list_{subset}_1.txt").write_text("\n".join(lines))
    assert [film.name for film in read_films(etmd, "test", 1)] == [tests[0].split()[0]]


def test_a_list_whose_name_lacks_fps_is_read_beside_lists_that_have_it(tiny_raw):
    folder = tiny_raw / "fold_lists"
    (folder / "Mine_list_test_fps.txt").rename(folder / "Mine_list_test_1.txt")
    assert [film.name for film in read_films(RawLayout(tiny_raw), "test", 1)]
    assert [film.name for film in read_films(RawLayout(tiny_raw), "train", 1)] == ["short", "long"]


@pytest.mark.parametrize("name", ["etmd_list_test_1_fps.txt", "ETMD_av_test.txt", "ETMD_av_list_test_1_fps.csv"])
def test_table_3_does_not_decide_where_a_file_seems_meant_as_a_list(etmd, list_writer, name):
    (etmd.root / "fold_lists").mkdir(exist_ok=True)
    list_writer(etmd.root, name, "CHI_1_color 12 25\n")
    expected = f"fold_lists/{name}: is not the name of a list. Name it ETMD_av_list_train_1_fps.txt"
    for read in (lambda: read_films(etmd, "train", 1), lambda: read_all_lists(etmd)):
        with pytest.raises(UserError, match=expected):
            read()


def test_preparing_says_that_table_3_decides(etmd, caplog):
    read_all_lists(etmd)
    assert caplog.records[0].message.startswith("fold_lists: has no lists of ETMD_av. Table 3")


def test_files_beside_the_lists_that_are_not_read_are_told_in_one_line(tiny_raw, list_writer, caplog):
    for name in ("Mine_list_validation_fps.txt", "mine_test.txt", "Other_list_train_fps.txt", "notes.txt"):
        list_writer(tiny_raw, name, "short 20 10\n")
    read_all_lists(RawLayout(tiny_raw))
    (message,) = [record.message for record in caplog.records if "not read" in record.message]
    assert message.startswith("2 files in fold_lists are not read; first: Mine_list_validation_fps.txt.")


def test_a_film_that_is_listed_twice_is_used_once_and_told(tiny_raw, list_writer, caplog):
    list_writer(tiny_raw, "Mine_list_train_fps.txt", "long 100 10\nshort 20 10\nlong 90 10\n")
    expected = [ListedFilm("Mine", "long", 100, 10.0), ListedFilm("Mine", "short", 20, 10.0)]
    for read in (
        lambda layout: read_films(layout, "train", 1),
        lambda layout: read_all_lists(layout)["train"][1],
    ):
        caplog.clear()
        assert read(RawLayout(tiny_raw)) == expected
        told = [record.message for record in caplog.records if "more than once" in record.message]
        line = "1 films are in a list more than once; their first line counts. First: long in Mine_list_train_fps.txt."
        assert told == [line]


def test_a_film_to_train_and_test_with_is_told_in_one_line(tiny_raw, list_writer, caplog):
    list_writer(tiny_raw, "Mine_list_test_fps.txt", "mute 20 10\n")
    list_writer(tiny_raw, "Mine_list_test_2_fps.txt", "long 100 10\nshort 20 10\n")
    read_all_lists(RawLayout(tiny_raw))
    (message,) = [record.message for record in caplog.records if "training list and in the test list" in record.message]
    assert message.startswith("2 films are") and "first: Mine/short, split 2." in message
