"""Preparing with Beam's DirectRunner: the same bytes, the same faults."""

import pytest

from data_pipelines.prepare import main, prepare
from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime.errors import UserError
from data_pipelines.shards.reader import Shards

pytestmark = pytest.mark.filterwarnings("ignore")  # Beam's own


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_beam_writes_the_same_as_one_process(tiny_raw, tiny_shards, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(["--data", "raw", "--output", "shards", "--size", "8", "--runner", "DirectRunner"])
    assert contents(tmp_path / "shards") == contents(tiny_shards)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw", "shards"]


def test_damaged_film_is_named_and_the_others_wait(tiny_raw, tmp_path):
    RawLayout(tiny_raw).frame_path("Mine", "long", 50).write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"img_00050\.jpg: not a readable picture"):
        prepare(tiny_raw, tmp_path / "shards", size=8, runner="DirectRunner")
    assert len(list((tmp_path / ".shards.unfinished" / "films").iterdir())) == 2
    output = prepare(tiny_raw, tmp_path / "shards", size=8, runner="DirectRunner", skip_damaged=True)
    assert [film.name for film in Shards(output).films] == ["short", "mute"]


def test_unknown_runner_is_one_line(tiny_raw, tmp_path):
    with pytest.raises(UserError, match="--runner NoRunner: the pipeline failed"):
        prepare(tiny_raw, tmp_path / "shards", size=8, runner="NoRunner")
