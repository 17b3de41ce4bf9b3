"""What cannot be read, or is something else than it seems, gets a line; the rest is checked."""

import lzma
import os
import shutil

import pytest

from data_pipelines.runtime.errors import UserError
from stavis_jax.checking import recognize
from stavis_jax.checking.recognize import check_path
from stavis_jax.weights.named_checkpoints import STARTER_DIRECTORY
from stavis_jax.weights.pytorch_file import read_checkpoint

TOO_LONG = "a" * 300  # as the target of a link, it makes the system refuse every question about the link


def lines(path) -> list[str]:
    return [finding.line for finding in check_path(path)]


def test_a_path_that_cannot_be_asked_about_is_told(tmp_path):
    (line,) = lines(tmp_path / TOO_LONG)
    assert line.startswith("not checked: ") and "cannot be read (File name too long)" in line


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_pipes_and_devices_are_not_read(make, tmp_path):
    make(tmp_path / "weights.pth")
    (line,) = lines(tmp_path / "weights.pth")
    assert "is neither a file nor a folder" in line


def test_an_unreadable_part_does_not_keep_the_others_from_being_checked(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "config.json").symlink_to(TOO_LONG)
    (tmp_path / "b" / "config.json").write_text('{"a": 1}')
    first, second = lines(tmp_path)
    assert first == (
        f"not checked: {tmp_path / 'a'}: {tmp_path / 'a/config.json'}: cannot be read (File name too long). "
        "Check its permissions and the disk."
    )
    assert second == f"ok: {tmp_path / 'b/config.json'}: 1 settings"


def test_an_unreadable_stage_does_not_keep_the_rest_from_being_checked(tmp_path):
    (tmp_path / "config.json").write_text('{"a": 1}')
    for name in ("a", "b"):
        (tmp_path / name / "checkpoints").mkdir(parents=True)
        (tmp_path / name / "metrics.jsonl").write_text("{}")
    (tmp_path / "a" / "checkpoints").rmdir()
    (tmp_path / "a" / "checkpoints").symlink_to(TOO_LONG)
    config, first, second = lines(tmp_path)
    assert config.startswith("ok: ")
    assert first.startswith(f"not checked: {tmp_path / 'a'}: ") and "File name too long" in first
    assert second == f"ok: {tmp_path / 'b/metrics.jsonl'}: 1 epochs"


def test_a_folder_whose_only_file_cannot_be_read_is_told(tmp_path):
    (tmp_path / "stavis.json").symlink_to(TOO_LONG)
    (line,) = lines(tmp_path)
    assert line.startswith("not checked: ") and "File name too long" in line


def test_a_folder_beside_one_that_cannot_be_searched_is_checked(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "checkpoints").symlink_to(TOO_LONG)
    (tmp_path / "b" / "config.json").write_text("{}")
    assert [line.partition(":")[0] for line in lines(tmp_path)] == ["not checked", "ok"]


def test_a_part_that_does_not_fit_into_memory_is_told(tmp_path, monkeypatch):
    def full(_):
        raise MemoryError

    monkeypatch.setattr(recognize, "check_weights_file", full)
    (tmp_path / "a.pth").touch()
    (line,) = lines(tmp_path / "a.pth")
    assert line.startswith(f"not checked: {tmp_path / 'a.pth'}: does not fit into memory.")


@pytest.mark.parametrize("name", ["config.json", "results.json", "visual/metrics.jsonl"])
def test_a_huge_file_of_a_run_is_not_read_into_memory(name, tmp_path):
    (tmp_path / "visual" / "checkpoints").mkdir(parents=True)
    (tmp_path / "config.json").write_text('{"a": 1}')
    (tmp_path / name).touch()
    os.truncate(tmp_path / name, 1 << 36)
    assert any(str(tmp_path / name) in line and "larger than 256 MiB" in line for line in lines(tmp_path))


def test_numbered_pictures_are_no_checkpoints(tmp_path):
    for number in range(3):
        (tmp_path / f"{number:04}.png").touch()
    (line,) = lines(tmp_path)
    assert line.startswith("not checked: ") and "holds nothing" in line


def test_a_file_beside_checkpoints_is_none(tmp_path):
    (tmp_path / "checkpoints" / "3.orbax-checkpoint-tmp").mkdir(parents=True)
    (tmp_path / "checkpoints" / "4.txt").touch()
    (line,) = lines(tmp_path / "checkpoints")
    assert "was never completed" in line


@pytest.mark.slow
def test_a_huge_file_of_zeros_is_refused_at_once(tmp_path):
    path = tmp_path / "weights.pth"
    path.touch()
    os.truncate(path, 1 << 36)  # as a download leaves it that was given its room and then cut
    with pytest.raises(UserError, match="damaged"):
        read_checkpoint(path)


def test_a_compressed_archive_is_not_unpacked(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(lzma.compress(bytes(1 << 20)))
    with pytest.raises(UserError):
        read_checkpoint(path)


@pytest.mark.parametrize("name", ["stavis.json", "weights.safetensors"])
def test_a_pipe_in_a_weights_directory_is_not_waited_for(name, tmp_path):
    weights = shutil.copytree(STARTER_DIRECTORY, tmp_path / "weights")
    (weights / name).unlink()
    os.mkfifo(weights / name)
    (line,) = lines(weights)
    assert line.startswith(f"damaged: {weights}: ")
