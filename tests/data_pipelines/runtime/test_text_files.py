import json

import pytest

from data_pipelines.runtime.json_files import read_object
from data_pipelines.runtime.text_files import open_text, read_text

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_mark_decides_the_encoding_and_is_no_text(tmp_path, encoding):
    path = tmp_path / "names.txt"
    path.write_bytes("Filmé 20 10\r\nzwei 20 10\r\n".encode(encoding))
    assert read_text(path) == "Filmé 20 10\nzwei 20 10\n"
    with open_text(path, newline="") as file:
        assert file.read() == "Filmé 20 10\r\nzwei 20 10\r\n"


def test_marks_of_joined_files_are_left_out(tmp_path):
    path = tmp_path / "names.txt"
    path.write_bytes("one\n".encode("utf-8-sig") + "two\n".encode("utf-8-sig"))
    assert read_text(path) == "one\ntwo\n"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_may_begin_with_a_mark(tmp_path, encoding):
    path = tmp_path / "settings.json"
    path.write_bytes(json.dumps({"a": 1}).encode(encoding))
    assert read_object(path, "Mend it.") == {"a": 1}


def test_other_bytes_are_no_text(tmp_path):
    path = tmp_path / "names.txt"
    path.write_bytes(b"caf\xe9 au lait")
    with pytest.raises(UnicodeError):
        read_text(path)
