import pytest

from data_pipelines.raw.name_forms import Names


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("one", "one"),
        ("ONE", "one"),
        ("one.MP4", "one"),
        ("'one'", "one"),
        ("Filme\u0301", "Filmé"),
        ("my\u00a0 FILM", "my film"),
        ("Two", "Two"),
        ("TWO", None),  # two or Two
        ("one.two", "one.two"),
        ("three", "three.avi"),
        ("four", None),
        ("on", None),
    ],
)
def test_a_name_is_found_by_a_form_that_no_other_has(name, found):
    assert Names(["one", "Filmé", "my film", "two", "Two", "one.two", "three.avi", "four.two"]).find(name) == found
