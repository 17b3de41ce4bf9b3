"""The status is right for runs that go on, have ended, were killed, are damaged or have not begun."""

import dataclasses
import json
import os
import subprocess
import sys
import time

import pytest

from data_pipelines.runtime.errors import UserError
from stavis_jax.watch import beats
from stavis_jax.watch.beats import Beat
from stavis_jax.watch.run_status import EMPTY, HANGING, KILLED, UNKNOWN, find_runs, run_status
from stavis_jax.watch.stage_status import FINISHED, PAUSED, TRAINING, WAITING
from stavis_jax.watch.status_text import duration, status_lines

CONFIG = {
    "model": {"variant": "l3mul-s3"},
    "init": {"visual": "", "audiovisual": ""},
    "stages": {"visual": {"epochs": 10}, "audiovisual": {"epochs": 20}},
}
ROW = {"epoch": 1, "loss": 5.0, "validation_loss": 6.0, "clips_per_second": 8.0, "data_wait": 0.25}


@pytest.fixture
def run(tmp_path):
    """Returns the folder of a run in its first stage, whose heartbeat is this process's."""
    run = tmp_path / "run"
    (run / "visual" / "checkpoints" / "40").mkdir(parents=True)
    (run / "visual" / "checkpoints" / "50.orbax-checkpoint-tmp").mkdir()
    (run / "config.json").write_text(json.dumps(CONFIG))
    (run / "visual" / "metrics.jsonl").write_text("".join(json.dumps(ROW | {"epoch": n}) + "\n" for n in (1, 2)))
    (run / "hosts").mkdir()
    beat(run)
    return run


def beat(run, host=0, **changes) -> Beat:
    now = time.time()
    training = {"stage": "visual", "epoch": 3, "step": 45, "steps": 200, "loss": 4.5, "clips_per_second": 9.0}
    training |= {"data_wait": 0.5, "first_step": 5, "first_seconds": now - 80, "seconds": now}
    made = dataclasses.replace(Beat.first(host, 1), doing="training", training=training, **changes)
    made.write(run / "hosts")
    return made


def test_a_running_training_tells_step_epoch_speed_checkpoint_and_what_is_left(run):
    status = run_status(run)
    visual, other = status.stages
    assert (status.state, status.doing, visual.state, other.state) == ("running", "training", TRAINING, WAITING)
    assert (visual.epoch, visual.epochs, visual.step, visual.steps) == (2, 10, 45, 200)
    assert (visual.loss, visual.validation_loss, visual.clips_per_second, visual.data_wait) == (4.5, 6.0, 9.0, 0.5)
    assert visual.checkpoint_step == 40 and 0 <= visual.checkpoint_age_seconds < 60
    assert visual.remaining_seconds == pytest.approx(155 * 2, abs=5)  # 40 steps took 80 seconds
    assert (other.name, other.epochs, other.step) == ("l3mul-s3", 20, None)
    text = "\n".join(status_lines(status))
    assert "running, training" in text and "2 of 10" in text and "45 of 200" in text and "until 20" in text


def test_a_process_that_was_killed_is_told_from_one_that_lives(run):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    try:
        beat(run, process=child.pid, born=beats.born(child.pid))
        assert run_status(run).state == "running"
        beat(run, process=child.pid, born=beats.born(child.pid) + "1")  # the number was given to another process
        assert run_status(run).state == KILLED
        beat(run, process=child.pid, born=beats.born(child.pid))
    finally:
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    for _ in range(2):  # a zombie, and then gone
        status = run_status(run)
        child.wait()
        assert (status.state, status.stages[0].state) == (KILLED, PAUSED)
    assert "The same command continues the run" in status_lines(status)[0]


def test_a_stopped_process_that_no_longer_beats_hangs(run):
    made = beat(run, seconds=time.time() - 100)
    file = run / "hosts" / "0.json"
    assert run_status(run).state == "running", "the clock of the file server says that the beat is new"
    os.utime(file, (time.time() - 100,) * 2)
    assert run_status(run).state == HANGING
    assert made.process_is_alive()


def test_on_another_machine_the_age_of_the_heartbeat_decides(run):
    beat(run, machine="another", process=1)
    assert run_status(run).state == "running"
    beat(run, machine="another", process=1, seconds=time.time() - 100)
    os.utime(run / "hosts" / "0.json", (time.time() - 100,) * 2)
    status = run_status(run)
    assert (status.state, status.stages[0].state, status.stages[0].remaining_seconds) == (HANGING, PAUSED, None)


@pytest.mark.parametrize(
    ("state", "code", "message"),
    [("stopped", 143, "visual: saved"), ("failed", 1, "the loss is nan"), ("lost", 75, "x")],
)
def test_an_ended_run_tells_how(state, code, message, run):
    beat(run, state=state, code=code, message=message)
    status = run_status(run)
    assert (status.state, status.exit_code, status.message) == (state, code, message)
    assert status.stages[0].state == PAUSED
    assert status_lines(status)[0] == f"{run}: {state} with code {code}: {message}"


def test_a_finished_and_scored_run(run):
    (run / "l3mul-s3").mkdir()
    for stage in ("visual", "l3mul-s3"):
        (run / stage / "last").mkdir()
    (run / "results.json").write_text("{}")
    beat(run, state="finished")
    status = run_status(run)
    assert (status.state, status.is_scored, [stage.state for stage in status.stages]) == (
        "finished",
        True,
        [FINISHED] * 2,
    )
    assert status_lines(status)[0] == f"{run}: finished and scored"


def test_while_the_first_host_scores_the_others_may_have_finished(run):
    beat(run, host=1, state="finished")
    assert run_status(run).state == "running"
    beat(run, host=1, state="lost", message="host 0 is gone", code=75)
    beat(run, process=1, born="0")
    status = run_status(run)
    assert (status.state, status.message, status.exit_code) == ("lost", "host 0 is gone", 75)
    assert status_lines(status)[1].startswith("host 0: killed (")


def test_damaged_files_are_named_and_the_rest_is_told(run):
    (run / "visual" / "metrics.jsonl").write_text(json.dumps(ROW) + '\n{"epoch": 2, "lo')
    (run / "hosts" / "1.json").write_text("{")
    (run / "config.json").write_bytes(b"\xff\xfe\x00")
    status = run_status(run)
    assert (status.state, status.stages[0].epoch) == ("running", 1)
    assert [note.partition(":")[0].rpartition("/")[2] for note in status.notes] == [
        "config.json",
        "1.json",
        "metrics.jsonl",
    ]
    assert "1 of 2 lines are damaged" in status.notes[2]


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"host": []}', b"\xff", b"[" * 100_000])
def test_any_content_of_a_heartbeat_is_survived(content, run):
    (run / "hosts" / "0.json").write_bytes(content)
    status = run_status(run)
    assert status.state == UNKNOWN and status.stages[0].checkpoint_step == 40
    assert "hosts/0.json: damaged." in status_lines(status)[-1]


def test_wrong_types_in_a_heartbeat_and_in_metrics_are_survived(run):
    beat(run)
    content = json.loads((run / "hosts" / "0.json").read_text())
    content["training"] = {"stage": "visual", "step": "x", "steps": [], "loss": None, "first_step": {}, "seconds": "y"}
    (run / "hosts" / "0.json").write_text(json.dumps(content))
    (run / "visual" / "metrics.jsonl").write_text('{"epoch": "a", "loss": NaN, "validation_loss": []}\n')
    assert run_status(run).stages[0].loss is None
    status_lines(run_status(run))


def test_an_empty_folder_is_one_line(tmp_path):
    (run,) = find_runs(tmp_path)
    assert run_status(run).state == EMPTY
    assert status_lines(run_status(run)) == [f"{tmp_path}: holds no training yet"]


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(UserError, match="is not a folder"):
        find_runs(tmp_path / "absent")


def test_an_ablation_has_a_run_for_each_part_and_a_stage_stands_for_its_run(tmp_path, run):
    for part in ("split1/visual/visual", "split1/l3-s1/l3-s1", "split2/visual/visual"):
        (tmp_path / "ablation" / part / "checkpoints").mkdir(parents=True)
    found = [path.relative_to(tmp_path / "ablation").as_posix() for path in find_runs(tmp_path / "ablation")]
    assert found == ["split1/l3-s1", "split1/visual", "split2/visual"]
    assert find_runs(run / "visual") == [run]


def test_reading_changes_nothing(run):
    before = sorted((path, path.stat().st_mtime_ns) for path in run.rglob("*"))
    run_status(run)
    assert sorted((path, path.stat().st_mtime_ns) for path in run.rglob("*")) == before


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (90, "2 min"), (3599, "1 h 0 min"), (12_000, "3 h 20 min"), (190_000, "2 d 4 h")],
)
def test_durations_have_one_or_two_units(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize("variant", ["a" * 5000, "a\0", "\ud800", "../visual", 3])
def test_a_variant_that_names_no_folder_is_left_out(run, variant):
    (run / "config.json").write_text(json.dumps(CONFIG | {"model": {"variant": variant}}))
    assert [stage.name for stage in run_status(run).stages] == ["visual"]


def test_numbers_too_large_are_left_out(run):
    (run / "visual" / "metrics.jsonl").write_text(json.dumps(ROW | {"epoch": 10**400, "validation_loss": 10**400}))
    assert run_status(run).stages[0].validation_loss is None
