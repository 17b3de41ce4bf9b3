"""The status of a folder with files that are not what they should be: it is shown as far as it can be read."""

import json
import math
import os
import shutil
import time

import pytest

from stavis_jax import status
from stavis_jax.watch import beats
from stavis_jax.watch.beats import Beat
from stavis_jax.watch.run_status import find_runs, run_status
from stavis_jax.watch.status_text import status_lines

FILES = ("config.json", "hosts/0.json", "visual/metrics.jsonl")
TOO_LONG = "a" * 300  # as the target of a link, it makes the system refuse every question about the link


@pytest.fixture
def run(tmp_path):
    run = tmp_path / "run"
    (run / "hosts").mkdir(parents=True)
    Beat.first(0, 1).write(run / "hosts")
    (run / "visual" / "checkpoints" / "3").mkdir(parents=True)
    (run / "visual" / "metrics.jsonl").write_text('{"epoch": 1, "loss": 0.5}\n')
    (run / "config.json").write_text(json.dumps({"model": {"variant": "visual"}, "stages": {"visual": {"epochs": 3}}}))
    return run


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def device(path):
    path.unlink()
    path.symlink_to("/dev/zero")


def huge(path):
    os.truncate(path, 1 << 36)


def folder(path):
    path.unlink()
    path.mkdir()


def loop(path):
    path.unlink()
    path.symlink_to(path.name)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("spoil", [pipe, device, huge, folder, loop])
def test_a_file_that_cannot_be_read_is_noted_and_the_rest_is_shown(spoil, name, run):
    spoil(run / name)
    found = run_status(run)
    status_lines(found)
    assert found.stages[0].checkpoint_step == 3
    assert found.state == ("unknown" if name == "hosts/0.json" else "running")
    if not (spoil is loop and name == "config.json"):  # it counts as missing
        (note,) = found.notes
        assert note.startswith(f"{run / name}: cannot be read (") and note.endswith(").")


@pytest.mark.parametrize("name", ["hosts", "visual/checkpoints"])
def test_a_folder_that_cannot_be_listed_is_noted(name, run):
    shutil.rmtree(run / name)
    (run / name).symlink_to(TOO_LONG)
    (note,) = run_status(run).notes
    assert note == f"{run / name}: cannot be read (File name too long)."


def test_a_stage_that_cannot_be_searched_is_noted(run):
    (run / "other").symlink_to(TOO_LONG)
    found = run_status(run)
    assert [stage.name for stage in found.stages] == ["visual"]
    assert found.notes == (f"{run / 'other'}: cannot be read (File name too long).",)


def test_a_run_that_is_gone_is_noted(run):
    shutil.rmtree(run)
    assert run_status(run).notes == (f"{run}: cannot be read (No such file or directory).",)


@pytest.mark.parametrize(
    ("field", "value"),
    [("seconds", math.nan), ("seconds", -math.inf), ("seconds", 10**400), ("code", math.nan), ("process", 0.5)],
)
def test_a_heartbeat_with_an_impossible_number_is_damaged(field, value, run, capsys):
    path = run / "hosts" / "0.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    assert beats.read(path) is None
    status.main([str(run), "--json"])
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line, parse_constant=pytest.fail)["runs"][0]["notes"] == [f"{path}: damaged."]


@pytest.mark.parametrize("steps", [10**13, 1e308])
def test_a_training_that_would_end_after_the_year_9999_has_no_estimate(steps, run):
    now = time.time()
    live = {"stage": "visual", "step": 9, "steps": steps, "first_step": 1, "first_seconds": now - 80, "seconds": now}
    path = run / "hosts" / "0.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"doing": "training", "training": live}))
    found = run_status(run)
    assert found.stages[0].state == "training" and found.stages[0].remaining_seconds is None
    status_lines(found)


def test_a_path_that_goes_up_again_is_that_of_the_stage(run):
    assert find_runs(run / "visual" / "checkpoints" / "..") == [run]


def test_hidden_folders_are_no_parts_of_an_ablation(run):
    part = run.parent / "ablation" / "split1" / "visual"
    shutil.copytree(run, part)
    shutil.copytree(run, part.parent / ".copy")
    (part.parent / "odd").symlink_to(TOO_LONG)
    assert find_runs(run.parent / "ablation") == [part]
