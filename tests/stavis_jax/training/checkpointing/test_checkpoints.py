"""Checkpoints on slow and lying disks: the newest complete one is found, and one line names those that are not."""

import errno
import os
import random
import shutil
from pathlib import Path

import grain
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from data_pipelines.runtime.errors import UserError
from stavis_jax.training.checkpointing.checkpoints import Checkpoints
from stavis_jax.training.progress import Progress

pytestmark = pytest.mark.slow


def state_at(step: int) -> dict[str, jax.Array]:
    """Returns a small state: `w` is [40, 40], and all its numbers differ."""
    return {"w": jnp.arange(1600, dtype=jnp.float32).reshape(40, 40) + step, "step": jnp.int32(step)}


def numbers():
    return iter(grain.MapDataset.range(100).to_iter_dataset())


def save(directory: Path, *steps: int) -> None:
    batches = numbers()
    with Checkpoints(directory) as checkpoints:
        for step in steps:
            next(batches)
            checkpoints.save(step, state_at(step), batches, Progress({"digest": "a"}, epoch=step))


def restored_step(directory: Path) -> int:
    """Returns the step that a training would continue from, and checks that all of it is of that step."""
    with Checkpoints(directory) as checkpoints:
        state, progress = checkpoints.restore(state_at(0), numbers())
    step = int(state["step"])
    np.testing.assert_array_equal(state["w"], state_at(step)["w"])
    assert progress.epoch == step
    return step


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("two") / "checkpoints"
    save(directory, 1, 2)
    return directory


@pytest.fixture
def copied(two, tmp_path) -> Path:
    return shutil.copytree(two, tmp_path / "checkpoints")


def test_no_flipped_bit_changes_a_weight_in_silence(copied, two, caplog):
    """A few bits of the files mean nothing."""
    data = [path for path in (two / "2/state").rglob("*") if path.is_file() and path.stat().st_size > 2000]
    draw, noticed = random.Random(0), 0
    for _ in range(12):
        path = draw.choice(data)
        content = bytearray(path.read_bytes())
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        shutil.rmtree(copied)
        shutil.copytree(two, copied)
        (copied / path.relative_to(two)).write_bytes(content)
        caplog.clear()
        if restored_step(copied) == 1:
            noticed += 1
            (line,) = [message for message in caplog.messages if "damaged" in message]
            assert line.startswith(f"{copied / '2'}: damaged (") and line.endswith("Continuing from step 1 instead.")
    assert noticed >= 10


def test_a_changed_digit_of_the_progress_is_noticed(copied, caplog):
    path = copied / "2/progress/metadata"
    path.write_text(path.read_text().replace('"epoch":2', '"epoch":3').replace('"epoch": 2', '"epoch": 3'))
    assert restored_step(copied) == 1
    assert "the progress has changed since it was saved" in caplog.text


def test_checkpoints_of_earlier_versions_go_on(copied):
    """They have no checksums."""
    shutil.rmtree(copied / "2/checksums")
    assert restored_step(copied) == 2


@pytest.mark.parametrize("damage", ["cut", "missing", "empty", "list", "number"])
def test_damage_to_the_checksums_costs_that_checkpoint_only(damage, copied):
    path = copied / "2/checksums/metadata"
    path.unlink()
    if damage != "missing":
        path.write_text({"cut": '{"arrays": {"0', "empty": "", "list": "[3]", "number": '{"arrays": 3}'}[damage])
    assert restored_step(copied) == 1


@pytest.mark.parametrize("content", ["[]", "", '{"commit_timestamp_nsecs": "x"}', '{"item_handlers": 3}', "\0\0"])
def test_a_damaged_description_of_a_step_costs_that_checkpoint_at_most(content, copied):
    (copied / "2/_CHECKPOINT_METADATA").write_text(content)
    assert restored_step(copied) in (1, 2)


def test_a_rename_that_stopped_half_way_is_passed_over(copied, two, caplog):
    """On object stores, a rename copies file by file."""
    for part in sorted((two / "2").rglob("*"))[::2]:
        if part.is_file():
            (copied / part.relative_to(two)).unlink()
    assert restored_step(copied) == 1
    assert "Continuing from step 1 instead" in caplog.text


def test_a_checkpoint_that_was_never_completed_is_named_and_removed(copied, caplog):
    unfinished = copied / "3.orbax-checkpoint-tmp"
    shutil.copytree(copied / "2", unfinished)
    assert restored_step(copied) == 2
    assert f"{copied / '3'}: was never completed. Continuing from step 2 instead." in caplog.messages
    assert not unfinished.exists()
    caplog.clear()
    assert restored_step(copied) == 2
    assert not caplog.messages


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_going_back_after_a_checkpoint_that_could_not_be_written_is_one_line(copied, monkeypatch):
    """A step that is not finite asks for the last checkpoint while a later one is still being written."""

    def full(source, target, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(source))

    batches = numbers()
    with Checkpoints(copied) as checkpoints:
        monkeypatch.setattr(os, "rename", full)
        monkeypatch.setattr(os, "replace", full)
        checkpoints.save(3, state_at(3), batches, Progress({"digest": "a"}, epoch=3))
        with pytest.raises(UserError, match="a checkpoint cannot be written .No space left on device"):
            checkpoints.restore(state_at(0), batches)


@pytest.mark.parametrize(
    "fault", [errno.EIO, errno.EXDEV, errno.ESTALE, errno.EPERM, errno.EOPNOTSUPP, errno.ETIMEDOUT]
)
def test_a_disk_without_rename_ends_the_run_with_one_line_and_keeps_the_older_checkpoint(fault, copied):
    def broken(source, target, **options):
        raise OSError(fault, os.strerror(fault), str(source))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "rename", broken)
        patch.setattr(os, "replace", broken)
        with pytest.raises(UserError) as told:
            save(copied, 3)
    assert str(told.value) == (
        f"{copied}: a checkpoint cannot be written ({os.strerror(fault)}). "
        "Fix this, then run the same command: it resumes from the last complete checkpoint."
    )
    assert restored_step(copied) == 2
    save(copied, 3)
    assert restored_step(copied) == 3


def test_a_checkpoint_that_is_listed_late_is_not_written_twice(copied):
    """The listing lacks step 2 at first. The run goes on from step 1, and arrives at step 2 again."""
    before = {path.name: path.stat().st_ino for path in copied.iterdir()}
    with pytest.MonkeyPatch.context() as patch:
        hide(patch, "2")
        checkpoints = Checkpoints(copied)
        assert checkpoints.latest_step() == 1
    with checkpoints:
        checkpoints.save(2, state_at(2), numbers(), Progress({"digest": "a"}, epoch=2))
        assert checkpoints.latest_step() == 2
    assert {path.name: path.stat().st_ino for path in copied.iterdir()} == before
    assert restored_step(copied) == 2


def hide(patch: pytest.MonkeyPatch, name: str) -> None:
    """Hides a name from all listings of folders."""
    listdir, scandir = os.listdir, os.scandir

    class Scan:
        def __init__(self, path="."):
            self._scan = scandir(path)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self._scan.close()

        def __iter__(self):
            return (entry for entry in self._scan if entry.name != name)

        def __next__(self):
            return next(iter(self))

        def close(self):
            self._scan.close()

    patch.setattr(os, "listdir", lambda path=".": [entry for entry in listdir(path) if entry != name])
    patch.setattr(os, "scandir", Scan)
