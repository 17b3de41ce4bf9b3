from pathlib import Path

import numpy as np
import pytest

from data_pipelines.ingestion.film_names import match_names
from data_pipelines.ingestion.gaze_files import read_gaze
from data_pipelines.runtime.errors import UserError


@pytest.fixture
def table(tmp_path):
    """A function: text -> the path of a table with it."""

    def write(text: str, name: str = "gaze.csv", encoding: str = "utf-8"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode(encoding))
        return path

    return write


def only(tables):
    ((part,),) = tables.gaze.values()
    return part


@pytest.mark.parametrize(
    "text",
    [
        "video,observer,time,x,y\nfilm,a,0.5,10.5,20\n\nfilm,b,0.75,11,21\n",
        "video;observer;time;x;y\r\nfilm;a;0,5;10,5;20\r\nfilm;b;0,75;11;21\r\n",  # as a German Excel saves it
        "Video\tObserver\tTime_ms\tX\tY\nfilm\ta\t500\t10.5\t20\nfilm\tb\t750\t11\t21\n",
        '"video","x","y","time","observer","pupil"\n"film","10.5","20","0.5","a","3"\nfilm,11,21,.75,b,\n',
        "y,x,time_ms,observer,video\n20,10.5,5e2,a,film\n21,11,750,b,film,\n",
    ],
)
def test_separators_column_order_and_time_units_do_not_matter(table, text):
    tables = read_gaze([table(text)])
    gaze = only(tables)
    assert list(tables.gaze) == ["film"]
    np.testing.assert_allclose(gaze.starts, [0.5, 0.75])
    np.testing.assert_array_equal(gaze.x, [10.5, 11])
    np.testing.assert_array_equal(gaze.y, [20, 21])
    np.testing.assert_array_equal(gaze.durations, 0)
    assert set(gaze.observers) == {"a", "b"}
    assert not gaze.counts_frames


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_every_common_encoding_is_read(table, encoding):
    tables = read_gaze([table("video,time,x,y\nfärö,0,1,2\n", encoding=encoding)])
    assert list(tables.gaze) == ["färö"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_encodings_without_a_mark_are_read_in_any_script(table, encoding):
    tables = read_gaze([table("video,time,x,y\n日本語,0,1,2\n", encoding=encoding)])
    assert list(tables.gaze) == ["日本語"]


def test_marks_and_headers_of_joined_tables_are_left_out(table):
    gaze = only(read_gaze([table("\ufeff\ufefftime,x,y\n0.1,1,2\n\ufefftime,x,y\n0.2,3,4\n")]))
    assert (gaze.starts.tolist(), gaze.x.tolist()) == ([0.1, 0.2], [1, 3])


@pytest.mark.parametrize(
    "titles", ["Time [ms],X [px],Y [px]", "time (ms),x (px),y (px)", "time_msec,x_pixels,y_px", "time_ms,X(px),y"]
)
def test_titles_may_have_units(table, titles):
    gaze = only(read_gaze([table(f"{titles},duration (s)\n500,1,2,0.25\n")]))
    assert (gaze.starts[0], gaze.durations[0], gaze.x[0], gaze.y[0]) == (0.5, 0.25, 1, 2)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("time,x,y\n500,1,2", {"time_ms": "time"}),
        ("frame,x,y\n500,1,2", {"time_ms": "Frame"}),
        ("time_ms,y,x\n500,1,2", {"x": "y", "y": "x"}),
        ("t,x,y,time,duration\n500,1,2,99,250", {"time_ms": "t", "duration_ms": "duration"}),
    ],
)
def test_what_the_user_calls_a_column_goes_before_its_title(table, text, columns):
    gaze = only(read_gaze([table(text)], columns))
    assert (gaze.starts[0], gaze.x[0], gaze.y[0], gaze.counts_frames) == (0.5, 1, 2, False)
    assert gaze.durations[0] == (0.25 if "duration_ms" in columns else 0)


@pytest.mark.parametrize(("columns", "x"), [({}, 0.5), ({"x": "X [px]"}, 320)])
def test_a_title_goes_before_the_same_one_with_a_unit(table, columns, x):
    assert only(read_gaze([table("time,X [px],x,y\n1,320,0.5,2\n")], columns)).x[0] == x


def test_a_unit_in_a_title_goes_before_the_name_that_the_user_gives_it(table):
    path = table("t,Time [ms],x,y\n1,500,1,2\n")
    assert only(read_gaze([path], {"time_ms": "time [ms]"})).starts[0] == 0.5
    with pytest.raises(UserError, match=r"--columns time=Time \[ms\]: is in milliseconds. Give it as time_ms"):
        read_gaze([path], {"time": "Time [ms]"})


@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_first_line_that_names_the_separator_is_understood(table, separator, mark):
    lines = [f"sep={separator}", "time x y".replace(" ", separator), "0.5 10.5 20".replace(" ", separator)]
    gaze = only(read_gaze([table(mark + "\r\n".join(lines) + "\r\n")]))
    assert (gaze.starts[0], gaze.x[0], gaze.y[0]) == (0.5, 10.5, 20)
    with pytest.raises(UserError, match="line 4: x: 'left'"):
        read_gaze([table(mark + "\n".join([*lines, "1 left 2".replace(" ", separator)]))])


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (("time_ms,x", '"800",1.5', '"1,000",2.5', '"1,200",3.5'), (0.8, 1.0, 1.2)),
        (("time_ms;x", "800;1,5", "1.000;2,5", "1.200;3,5"), (0.8, 1.0, 1.2)),
        (("time_ms\tx", "800\t1.5", "1,000\t2.5", "1,200\t3.5"), (0.8, 1.0, 1.2)),
        (("time_ms,x", '"999",1', '"1,000",2', '"1,000,000",3'), (0.999, 1, 1000)),
        (("time_ms;x", "999,5;1", "1.000,5;2", "1.200;3"), (0.9995, 1.0005, 1.2)),
        (("time_ms;x", "999.5;1", "1,000.5;2", "1,200;3"), (0.9995, 1.0005, 1.2)),
        (("time_ms;x", "800;1", "1 000;2", "1 200,5;3"), (0.8, 1.0, 1.2005)),
        (("time_ms;x", "800;1", "1\u202f000;2", "1\u00a0200,5;3"), (0.8, 1.0, 1.2005)),
        (("time_ms;x", "800;1", "1\u2007000;2", "1\u2009200,5;3"), (0.8, 1.0, 1.2005)),
        (("time_ms;x", "800;1", "1'000;2", "1\u2019200.5;3"), (0.8, 1.0, 1.2005)),
        (("time;x", "0,800;1", "1,000;2", "1,200;3"), (0.8, 1.0, 1.2)),
        (("time,x", "1.000,1", "1.200,2", "1.400,3"), (1.0, 1.2, 1.4)),
        (("time,x", "1.000,1", "998,2", "1001,3"), (1, 998, 1001)),
        (("time;x", "0,5;1", "1.000;2", "1,000;3"), (0.5, 1000, 1)),
        (("time;x", "0;22,212", "1;13,403", "2;27,039"), (0, 1, 2)),
        (("time;x", "\u22120,5;1", "0,5;2", "1,5e0;3"), (-0.5, 0.5, 1.5)),
    ],
)
def test_separators_of_thousands_and_decimals_are_told_apart(table, cells, values):
    """The first column, by its own numbers or by those of the second."""
    delimiter = next(char for char in ";\t," if char in cells[0])
    rows = [f"{cell}{delimiter}{number or 'y'}" for number, cell in enumerate(cells)]
    np.testing.assert_allclose(only(read_gaze([table("\n".join(rows))])).starts, values)


def test_positions_have_decimals_rather_than_millions_of_pixels(table):
    gaze = only(read_gaze([table("time_ms;x;y\n0;22,212;13,403\n50;27,039;26,980\n")]))
    np.testing.assert_allclose([gaze.x, gaze.y], [[22.212, 27.039], [13.403, 26.98]])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('frame,x,y\n900,1,2\n"1,000",1,2\n', "line 3: frame: '1,000' may be 1 or 1000"),
        ("frame;x;y\n900;1;2\n1.000;1;2\n", "line 3: frame: '1.000' may be 1 or 1000"),
        ("frame,x,y\n900,1.5,2\n1.000,1,2\n", "line 3: frame: '1.000' may be 1 or 1000"),
        ("frame,x,y\n1,900,2\n1,1.024,2\n", "line 3: x: '1.024' may be 1 or 1024"),
        ('time,x,y\n1,"1,024",2\n2,1100,2\n', "line 2: x: '1,024' may be 1 or 1024"),
        ('time,x,y\n0.5,"1,024",2\n2,1100,2\n', "line 2: x: '1,024' may be 1 or 1024"),
        ("time,x,y,\n1,000,10,20\n", "line 2: has 4 fields where the header has 3"),
        ("time;x;y\n1;1,024;2\n2;1,100;2\n", "line 2: x: '1,024' may be 1 or 1024"),
        ("time;x;y\n1;1,024;2\n2;1.100;2\n", "line 2: x: '1,024' may be 1 or 1024"),
        ("time;x;y\n1;0,5;2\n2;0.5;2\n", "line 3: x: '0.5' is not a number"),
        ('time,x,y\n0,0.5,2\n1,"0,5",2\n', "line 3: x: '0,5' is not a number"),
        ('time,x,y\n0,0.5,2\n1,"1,00,0",2\n', "line 3: x: '1,00,0' is not a number"),
        ("time;x;y\n0;10 00;2\n", "line 2: x: '10 00' is not a number"),
        ("time;x;y\n0;1_000;2\n", "line 2: x: '1_000' is not a number"),
    ],
)
def test_numbers_in_doubt_are_refused_with_their_line(table, text, line):
    with pytest.raises(UserError, match=f"gaze.csv, {line}"):
        read_gaze([table(text)])


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        ("1.0", "0.0"),
        ("1,0", "0,0"),
        ("TRUE", "FALSE"),
        ("WAHR", "FALSCH"),
        ("VRAI", "FAUX"),
        ("Yes", "No"),
        ("T", "F"),
    ],
)
def test_validity_is_understood_as_spreadsheets_and_pandas_write_it(table, yes, no):
    tables = read_gaze([table(f"time;x;y;valid\n0;1;2;{yes}\n1;1;2;{no}\n2;;;\n")])
    assert (tables.num_invalid, tables.num_missing, only(tables).starts.tolist()) == (1, 1, [0])
    with pytest.raises(UserError, match="line 2: valid: is missing"):
        read_gaze([table("time,x,y,valid\n0,1,2,\n")])


@pytest.mark.parametrize(
    ("name", "film"),
    [
        ("ONE.MP4", "one"),
        (r"C:\exp\films\one.mp4", "one"),
        ("../films/One", "one"),
        ("one.avi", "one"),
        ("Two.mp4", "Two"),
        ("TWO.mp4", None),  # two and Two differ by capitals
        ("one.mp4.txt", None),
        ("v1.2", "v1.2"),
        ("https://host/films/my%20film.webm", "my film"),
        ("https://host/one.mp4?token=a/b#t=3", "one"),
        ("https://host/my%20film.avi?v=1", "my film"),
        ("one.mp4?v=1", None),
    ],
)
def test_names_of_films_may_have_other_capitals_and_a_path(name, film):
    films = {stem: Path(f"films/{stem}.mp4") for stem in ("one", "two", "Two", "v1.2", "my film")}
    assert match_names([name], films).get(name) == film


def test_own_column_names_are_mapped(table):
    path = table("Media name,FPOGS,FPOGX,FPOGY,FPOGD,FPOGV\nfilm,1,0.5,0.25,0.3,1\nfilm,2,0.5,0.25,0.3,0\n")
    names = {"video": "media name", "time": "FPOGS", "x": "FPOGX", "y": "FPOGY", "duration": "FPOGD", "valid": "FPOGV"}
    tables = read_gaze([path], names)
    np.testing.assert_array_equal(only(tables).durations, [0.3])
    assert (tables.num_rows, tables.num_invalid) == (2, 1)


def test_frame_numbers_are_told_from_seconds(table):
    gaze = only(read_gaze([table("frame,x,y,duration_ms\n3,1,2,400\n")]))
    assert gaze.counts_frames
    assert (gaze.starts[0], gaze.durations[0]) == (3, 0.4)


@pytest.mark.parametrize(
    ("title", "durations", "other"),
    [("duration", (90, 250, 400), "duration_ms"), ("duration_ms", (0.09, 0.25, 0.4), "duration")],
)
def test_durations_of_another_unit_than_their_column_are_refused(table, title, durations, other):
    path = table(f"time,x,y,{title}\n" + "".join(f"0,1,2,{duration}\n" for duration in (*durations, 0)))
    with pytest.raises(UserError, match=rf"gaze\.csv: {title}: half .* than {durations[1]} .*Name the column {other},"):
        read_gaze([path])
    assert read_gaze([path], stills=True).num_rows == 4
    assert read_gaze([path], {other: title}).num_rows == 4


def test_rows_without_data_are_counted(table):
    tables = read_gaze([table("time,x,y\n0,1,2\n1,.,.\n2,NaN,5\n,3,4\n3,0,0\n4,,\n5,#N/A,<NA>\n")])
    assert (tables.num_rows, tables.num_missing) == (7, 6)
    np.testing.assert_array_equal(only(tables).starts, [0])


def test_a_table_without_a_video_column_is_named_after_its_film_or_lies_in_a_folder_that_is(table, tmp_path):
    for name in ("one.csv", "two/P1.txt", "two/P2.tsv", ".hidden.csv", "two/notes.md"):
        table("time,x,y\n0,1,2\n", name)
    tables = read_gaze([tmp_path])
    assert {video: len(parts) for video, parts in tables.gaze.items()} == {"one": 1, "two": 2}
    assert {name for part in tables.gaze["two"] for name in part.observers} == {"P1", "P2"}


def test_a_file_given_twice_is_read_once(table, tmp_path):
    path = table("time,x,y\n0,1,2\n")
    assert read_gaze([path, tmp_path]).num_rows == 1


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("time,x,y\n0,1,2\n0,abc,2\n", "line 3: x: 'abc' is not a number"),
        ("time,x,y\n0,1,2\n0,1\n", "line 3: has 2 fields where the header has 3"),
        ("time,x,y\n0,1,2,3\n", "line 2: has 4 fields"),
        ("time,x,y\n\n0,inf,2\n", "line 3: x: 'inf' is not a finite number"),
        ("frame,x,y\n0,1,2\n", "line 2: frames are numbered from 1"),
        ("frame,x,y\n1.5,1,2\n", "line 2: frame 1.5 is not a whole number"),
        ("time,duration,x,y\n0,-1,1,2\n", "line 2: duration -1 is negative"),
        ("time,valid,x,y\n0,4,1,2\n", "line 2: valid: '4' is neither 1 nor 0"),
        ("time,x,y\n0,1,'" + "2" * 200_000 + "\n", "line 2: field larger"),
        ("time,x\n0,1\n", "has no column y. It has time, x"),
        ("onset,x,y\n0,1,2\n", "has no column time or time_ms or frame"),
        ("time,x,x,y\n0,1,1,2\n", "has two columns 'x'"),
        ("\n\n", "is empty"),
        ("", "is empty"),
    ],
)
def test_what_cannot_be_read_is_named_with_file_and_line(table, text, fault):
    with pytest.raises(UserError, match=f"gaze.csv.*{fault}"):
        read_gaze([table(text)])


@pytest.mark.parametrize("content", [b"video,time,x,y\n\x81,0,1,2\n", b"\xff\xfea", bytes(100)])
def test_bytes_that_are_no_text_are_refused(table, tmp_path, content):
    (tmp_path / "gaze.csv").write_bytes(content)
    with pytest.raises(UserError, match=r"gaze\.csv: (is not text in UTF-8, .* Windows-1252|has no column)"):
        read_gaze([tmp_path / "gaze.csv"])


def test_paths_and_column_names_that_are_not_there_are_named(table, tmp_path):
    path = table("time,x,y\n0,1,2\n")
    with pytest.raises(UserError, match=r"none\.csv: no such file"):
        read_gaze([tmp_path / "none.csv"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: holds no \.csv"):
        read_gaze([tmp_path / "empty"])
    with pytest.raises(UserError, match="has no column 'gx'"):
        read_gaze([path], {"x": "gx"})
    with pytest.raises(UserError, match="--columns z: is not known"):
        read_gaze([path], {"z": "gx"})


@pytest.mark.parametrize("inside", ["", "raw"])
def test_files_of_the_raw_data_within_the_gaze_are_no_gaze(table, tmp_path, inside, monkeypatch):
    """As in `--gaze . --output raw` or `--output .`, for the second time."""
    raw = tmp_path / inside
    table("video,time,x,y\none,0.5,1,2\n")
    for name in (Path(inside, "annotations/D/one/observers.csv"), Path(inside, "fold_lists/D_list_train_1_fps.txt")):
        (tmp_path / name).parent.mkdir(parents=True)
        table("observer,frame,x,y\na,1,1,2\n", name)
    (raw / "annotations" / "D" / "one" / "maps").mkdir()
    for file in ("annotations/D/one/fixMap_00001.mat", "annotations/D/one/maps/eyeMap_00001.jpg"):
        (raw / file).touch()
    monkeypatch.chdir(tmp_path)
    for path in (Path("."), tmp_path):
        tables = read_gaze([path], raw=Path(inside))
        assert (list(tables.gaze), tables.num_rows, tables.maps) == (["one"], 1, {})
    given = read_gaze([raw / "annotations"], raw=raw)  # the user means it
    assert list(given.maps) == ["one"]
