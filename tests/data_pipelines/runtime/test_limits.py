import pytest

from data_pipelines.runtime.limits import is_name


@pytest.mark.parametrize("name", ["one", "Filmé", "日本", "a b", "...", "a" * 200, "\udcff"])
def test_names_of_folders_are_names(name):
    """The last one is a byte that is no UTF-8, as Python reads it from a folder."""
    assert is_name(name)


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "a\\b", "a\0", "a" * 201, "\ud800", None, 3, ["a"]])
def test_what_no_folder_can_be_called_is_no_name(text):
    assert not is_name(text)
