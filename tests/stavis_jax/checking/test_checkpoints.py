import os
import shutil
from pathlib import Path

import grain
import jax.numpy as jnp
import numpy as np
import pytest

from stavis_jax.checking.checkpoints import check_checkpoints, is_checkpoints
from stavis_jax.training.checkpointing.checkpoints import Checkpoints
from stavis_jax.training.progress import Progress

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """Returns the folder of the checkpoints 1 and 2."""
    folder, draw = tmp_path_factory.mktemp("saved") / "checkpoints", np.random.default_rng(0)
    batches = iter(grain.MapDataset.range(100).to_iter_dataset())
    with Checkpoints(folder) as checkpoints:
        for step in (1, 2):
            next(batches)
            state = {"w": jnp.asarray(draw.normal(size=(40, 40)), jnp.float32), "step": jnp.int32(step)}
            checkpoints.save(step, state, batches, Progress({}, epoch=step))
    return folder


@pytest.fixture
def folder(saved, tmp_path) -> Path:
    return shutil.copytree(saved, tmp_path / "checkpoints")


def test_good_checkpoints_are_described(folder):
    assert is_checkpoints(folder)
    assert [finding.line for finding in check_checkpoints(folder)] == [
        f"ok: {folder / '1'}: checkpoint after 1 epochs, 2 arrays, all finite",
        f"ok: {folder / '2'}: checkpoint after 2 epochs, 2 arrays, all finite",
    ]


@pytest.mark.parametrize("item", ["state", "batches", "progress", "checksums"])
def test_damage_to_an_item_is_told_of_its_checkpoint_alone(item, damage, folder):
    files = [path for path in (folder / "2" / item).rglob("*") if path.is_file() and path.name != "commit_success.txt"]
    if damage.__name__ == "flip_bit" and item in ("batches", "checksums"):
        files[0].write_text(files[0].read_text().replace(":", ";", 1))
    else:
        damage(max(files, key=lambda path: path.stat().st_size))
    one, two = check_checkpoints(folder)
    assert one.state == "ok"
    assert two.state == "damaged" and two.path == folder / "2"
    assert two.text.endswith(
        "The training continues from the checkpoint before it. Delete this one, and check the disk."
    )


@pytest.mark.parametrize("item", ["state", "batches", "progress"])
def test_a_missing_item_is_named(item, folder):
    shutil.rmtree(folder / "2" / item)
    assert [finding.text.partition(" is missing")[0] for finding in check_checkpoints(folder)][1] == item


def test_numbers_that_are_not_finite_are_told(tmp_path):
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        batches = iter(grain.MapDataset.range(9).to_iter_dataset())
        checkpoints.save(1, {"w": jnp.array([1.0, np.nan])}, batches, Progress({}))
    (finding,) = check_checkpoints(tmp_path / "checkpoints")
    assert "1 arrays are not finite, such as 00000" in finding.text


def test_leftovers_and_earlier_versions_are_no_damage(folder):
    shutil.rmtree(folder / "1" / "checksums")
    shutil.copytree(folder / "2", folder / "3.orbax-checkpoint-tmp")
    shutil.copytree(folder / "2", folder / "4.damaged")
    findings = {finding.path.name: finding for finding in check_checkpoints(folder)}
    assert {finding.state for finding in findings.values()} == {"ok"}
    assert "an earlier version saved it" in findings["1"].text
    assert "never completed" in findings["3.orbax-checkpoint-tmp"].text
    assert "set aside as damaged" in findings["4.damaged"].text


@pytest.mark.parametrize("name", ["state/_METADATA", "state/manifest.ocdbt", "progress/metadata"])
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: sparse(path)])
def test_a_file_whose_reading_would_not_end_is_told(make, name, folder):
    (folder / "2" / name).unlink()
    make(folder / "2" / name)
    _, two = check_checkpoints(folder)
    assert two.state == "damaged" and two.text.startswith(f"{name} cannot be read (")


def sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 36)
