"""The command that measures reading: its table, and a version that is no version."""

import re

import pytest

from benchmarks import feeding
from benchmarks.films import make_films


@pytest.mark.slow
def test_the_table_has_speed_and_bytes_of_each_version(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(feeding, "ROUNDS", 1)
    monkeypatch.setattr(feeding, "WARM_UP_CLIPS", 1)
    shards = make_films(tmp_path / "films", (48, 36), num_films=2, num_frames=20).shards
    feeding.main(["--shards", str(shards), "--workers", "0", "--seconds", "0.1", "--against", str(feeding.HERE)])
    rows = re.findall(r"^\| (.+) \| 0 \| (\d+) \(\d+ to \d+\) \| (\d+) \|$", capsys.readouterr().out, re.MULTILINE)
    assert [name for name, *_ in rows] == ["this version", feeding.HERE.name]
    assert all(int(rate) > 0 and int(size) == 684 for _, rate, size in rows)


@pytest.mark.parametrize("flags", [["--seconds", "0"], ["--seconds", "nan"]], ids=str)
def test_no_time_gives_no_figures(flags):
    with pytest.raises(SystemExit, match="error: --seconds .*: give more than 0"):
        feeding.main(flags)


def test_a_folder_without_code_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="holds no data_pipelines"):
        feeding.main(["--against", str(tmp_path)])


def test_an_error_of_a_version_is_one_line(tmp_path):
    with pytest.raises(
        SystemExit, match=r"error: .*: reading .*nothing with 0 processes failed: [^:]*nothing: holds no shards"
    ):
        feeding.main(["--shards", str(tmp_path / "nothing"), "--workers", "0"])
