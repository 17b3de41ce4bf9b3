"""Training on a full disk, on a read-only disk, with a clock that runs back, and twice in one folder.

Kills, signals and damaged checkpoints are in tests/stavis_jax/training: test_kills.py and test_faults.py.
"""

import signal
from pathlib import Path

import numpy as np
import pytest
from bad_shards import training_flags
from disks import disk, remount

from data_pipelines.runtime.atomic import locked_folder

SMALL = "small_run"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    from small_run import small_training

    return small_training().make_shards(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def trained(commands, shards, tmp_path_factory) -> dict[str, np.ndarray]:
    """Returns the last weights of a training without a fault."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    assert commands.run(SMALL, shards, folder).code == 0
    return last(folder)


def last(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "last.npz") as file:
        return dict(file)


def assert_same(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> None:
    """Compares the weights bit by bit."""
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        np.testing.assert_array_equal(ours[name], array, err_msg=name)


@pytest.mark.parametrize("kilobytes", [20, 140, 320])
def test_a_full_disk_is_one_line_and_with_room_it_goes_on(kilobytes, commands, shards, trained, tmp_path, tally):
    """The disk fills up during the first checkpoint, a later one, or one of the last."""
    tally.fault("main", "full disk")
    with disk(tmp_path / "disk", kilobytes) as mounted:
        folder = tmp_path / "disk" / "run"
        ended = commands.run(SMALL, shards, folder, limits={} if mounted else {"RLIMIT_FSIZE": 8192})
        assert ended.code == 1, ended
        # Threads of orbax and TensorStore may warn of the same before or after it.
        (line,) = (line for line in ended.err.splitlines() if line.startswith("error: "))
        assert ("No space left on device" if mounted else "File too large") in line
        if mounted:
            remount(tmp_path / "disk", "size=100m")
        ended = commands.run(SMALL, shards, folder)
        assert ended.code == 0, ended
        assert_same(last(folder), trained)


def test_a_disk_that_cannot_be_written_is_one_line(commands, shards, tmp_path, tally):
    tally.fault("main", "read-only disk")
    with disk(tmp_path / "disk", 64) as mounted:
        if mounted:
            remount(tmp_path / "disk", "ro")
        else:
            (tmp_path / "disk" / "file").touch()
        folder = tmp_path / "disk" / ("run" if mounted else "file/run")
        for module, flags in ((SMALL, [shards, folder]), ("stavis_jax.main", training_flags(shards, folder))):
            line = commands.run(module, *flags).error
            assert ("Read-only file system" if mounted else "Not a directory") in line


def test_a_clock_that_runs_back_changes_nothing(commands, shards, trained, tmp_path, tally):
    tally.fault("main", "clock that runs back")
    folder = tmp_path / "run"
    running = commands.start(SMALL, shards, folder, before="clocks:run_backwards")
    running.wait_until(lambda: (folder / "metrics.jsonl").is_file() and (folder / "metrics.jsonl").read_text() != "")
    running.kill(signal.SIGKILL)
    ended = commands.run(SMALL, shards, folder, before="clocks:run_backwards")
    assert ended.code == 0, ended
    assert_same(last(folder), trained)


def test_two_runs_in_one_working_directory_are_refused(commands, supplies, tmp_path, tally):
    tally.fault("main", "second run in one folder")
    flags = training_flags(supplies.shards, tmp_path / "run")
    with locked_folder(tmp_path / "run"):
        assert "run: another run is writing to it" in commands.run("stavis_jax.main", *flags).error
        assert list((tmp_path / "run").iterdir()) == []
