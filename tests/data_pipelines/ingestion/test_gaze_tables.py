import numpy as np
import pytest

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


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_are_no_part_of_the_header(table, encoding):
    tables = read_gaze([table("video,time,x,y\nfärö,0,1,2\n", encoding=encoding)])
    assert list(tables.gaze) == ["färö"]


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


def test_rows_without_data_are_counted(table):
    tables = read_gaze([table("time,x,y\n0,1,2\n1,.,.\n2,NaN,5\n,3,4\n3,0,0\n4,,\n")])
    assert (tables.num_rows, tables.num_missing) == (6, 5)
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


def test_bytes_that_are_no_text_are_refused(table):
    with pytest.raises(UserError, match=r"gaze\.csv: is not text in UTF-8"):
        read_gaze([table("vidéo,time,x,y\n", encoding="latin-1")])


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
