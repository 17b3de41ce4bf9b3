import json
import shutil

import pytest

from stavis_jax.checking.recognize import check_path
from stavis_jax.checking.run import check_journal


def lines(path) -> list[str]:
    return [finding.line for finding in check_path(path)]


@pytest.mark.slow
def test_every_kind_is_recognized(good_files, tmp_path):
    assert lines(good_files.shards)[0].startswith(f"ok: {good_files.shards}: shards of 3 films")
    assert lines(good_files.weights)[0].startswith(f"ok: {good_files.weights}: weights of visual")
    assert lines(good_files.weights / "weights.safetensors") == lines(good_files.weights)
    assert lines(good_files.pth)[0].startswith(f"ok: {good_files.pth}: weights of")


def test_what_is_not_checked_is_told(good_files, tmp_path):
    assert "ingest --check" in lines(good_files.raw)[0]
    (tmp_path / "empty").mkdir()
    for path, says in (
        (good_files.raw, "is raw data"),
        (tmp_path / "empty", "holds nothing"),
        (tmp_path / "no", "no such"),
    ):
        (line,) = lines(path)
        assert line.startswith(f"not checked: {path}: ") and says in line


def test_a_folder_of_several_things_is_checked_one_by_one(good_files, tmp_path):
    shutil.copytree(good_files.weights, tmp_path / "a")
    shutil.copytree(good_files.shards, tmp_path / "b")
    shutil.copytree(good_files.weights, tmp_path / "c")
    (tmp_path / "c" / "stavis.json").unlink()
    assert [line.partition(":")[0] for line in lines(tmp_path)] == ["ok", "ok", "damaged"]


def test_a_working_directory_is_checked_file_by_file(good_files, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(good_files.weights, run / "visual" / "last")
    shutil.copytree(good_files.weights, run / "visual" / "best")
    (run / "config.json").write_text('{"a": 1}')
    (run / "visual" / "metrics.jsonl").write_text('{"epoch": 1}\n{"epoch": 2}\n')
    video = {"method": "visual", "database": "A", "split": 1, "video": "one", "frames": 3, "CC": 0.5}
    (run / "results.json").write_text(json.dumps({"videos": [video]}))
    assert [line.partition(": weights")[0] for line in lines(run)] == [
        f"ok: {run / 'config.json'}: 1 settings",
        f"ok: {run / 'results.json'}: scores of visual",
        f"ok: {run / 'visual/metrics.jsonl'}: 2 epochs",
        f"ok: {run / 'visual/last'}",
        f"ok: {run / 'visual/best'}",
    ]
    for name in ("config.json", "results.json", "visual/metrics.jsonl", "visual/best/stavis.json"):
        (run / name).write_text("{")
    assert sum(line.startswith("damaged: ") for line in lines(run)) == 4


@pytest.mark.parametrize(("text", "where"), [('{"a": 1}\n{"a', "line 2: "), ("[]\n", "line 1: "), ("\n", "line 1: ")])
def test_a_damaged_line_of_the_journal_is_named(text, where, tmp_path):
    (tmp_path / "metrics.jsonl").write_text(text)
    finding = check_journal(tmp_path / "metrics.jsonl")
    assert finding.state == "damaged" and finding.text.startswith(where)
