import pytest

from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.json_files import read_object


def test_name_that_is_given_twice_is_refused_at_any_depth(tmp_path):
    path = tmp_path / "settings.json"
    for text in ('{"a": 1, "a": 1}', '{"b": [{"a": 1, "c": 2, "a": 3}]}'):
        path.write_text(text)
        with pytest.raises(UserError, match=r"settings.json: damaged \('a' is given twice\). Mend it."):
            read_object(path, "Mend it.")
    path.write_text('{"a": {"a": 1}, "b": {"a": 2}}')
    assert read_object(path, "Mend it.") == {"a": {"a": 1}, "b": {"a": 2}}
