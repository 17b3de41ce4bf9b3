"""Results that appear whole or not at all, and locks. Kills of whole commands: tests/faults."""

import errno
import fcntl
import os
import re

import pytest

from data_pipelines.runtime import atomic
from data_pipelines.runtime.command import command, reported_line
from data_pipelines.runtime.errors import UserError


@pytest.fixture(params=["swap", "renames"])
def how(request, monkeypatch):
    """How a folder is replaced: in one step, or on a system that cannot."""
    if request.param == "renames":
        monkeypatch.setattr(atomic, "_exchange", lambda *_: False)


def folder_of(path, text):
    path.mkdir()
    (path / "file").write_text(text)
    return path


def test_a_full_disk_names_the_file(tmp_path):
    with pytest.raises(OSError, match="scores.json") as full, atomic.replaced_file(tmp_path / "scores.json"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as a write does
    assert (
        reported_line(full.value)
        == f"{tmp_path}/scores.json: No space left on device. Give a folder that can be written."
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("how")
def test_a_folder_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    target = folder_of(tmp_path / "target", "older")
    with atomic.temporary_folder_beside(target) as aside:
        atomic.replace_folder(folder_of(aside / "new", "new"), target)
    assert (target / "file").read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.usefixtures("how")
def test_a_folder_appears_where_there_was_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    target = tmp_path.relative_to(tmp_path) / "target"
    with atomic.temporary_folder_beside(target) as aside:
        atomic.replace_folder(folder_of(aside / "new", "new"), target)
    assert (tmp_path / "target" / "file").read_text() == "new"


def test_the_older_folder_stays_if_the_new_one_cannot_take_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, "_exchange", lambda *_: False)
    target = folder_of(tmp_path / "target", "older")
    with atomic.temporary_folder_beside(target) as aside, pytest.raises(FileNotFoundError):
        atomic.replace_folder(aside / "absent", target)
    assert (target / "file").read_text() == "older"


def test_a_killed_replacement_is_undone_by_the_next_run(tmp_path):
    aside = atomic.hidden_folder_beside(tmp_path / "target")
    aside.mkdir()
    folder_of(aside / "older", "older")
    with atomic.temporary_folder_beside(tmp_path / "target"):
        assert (tmp_path / "target" / "file").read_text() == "older"


def test_an_older_folder_that_a_kill_left_behind_does_not_stop_the_next_replacement(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, "_exchange", lambda *_: False)
    target = folder_of(tmp_path / "target", "old")
    aside = atomic.hidden_folder_beside(target)
    aside.mkdir()
    folder_of(aside / "older", "older")
    with atomic.lasting_folder_beside(target):
        atomic.replace_folder(folder_of(aside / "new", "new"), target)
    assert (target / "file").read_text() == "new"
    assert list(aside.iterdir()) == []


@pytest.mark.parametrize("locked", [atomic.locked_folder, atomic.temporary_folder_beside, atomic.lasting_folder_beside])
def test_a_second_run_is_refused(tmp_path, locked):
    refused = pytest.raises(UserError, match="target: another run is writing to it")
    with locked(tmp_path / "target"), refused, locked(tmp_path / "target"):
        pass
    with locked(tmp_path / "target"):
        pass


def test_a_lock_on_a_folder_that_another_run_has_removed_does_not_count(tmp_path, monkeypatch):
    lock, removed = fcntl.flock, []

    def remove_first(*args):
        if not removed:
            removed.append((tmp_path / "target").rmdir())
        lock(*args)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    folder = tmp_path / "target"
    with atomic.locked_folder(folder), pytest.raises(UserError), atomic.locked_folder(folder):
        pass
    assert removed


def test_a_locked_folder_that_stays_empty_leaves_nothing(tmp_path):
    with pytest.raises(UserError, match="no data"), atomic.locked_folder(tmp_path / "runs" / "av"):
        raise UserError("no data")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", [errno.EXDEV, errno.ESTALE, errno.EOPNOTSUPP, errno.EIO])
def test_a_disk_that_cannot_rename_keeps_the_older_result_and_ends_in_one_line(tmp_path, monkeypatch, fault):
    def broken(source, target, **_):
        raise OSError(fault, os.strerror(fault), str(source))

    @command
    def write(replace) -> None:
        replace()

    def replace_file():
        atomic.write_text(tmp_path / "file", "new")

    def replace_folder():
        with atomic.temporary_folder_beside(target) as aside:
            atomic.replace_folder(folder_of(aside / "new", "new"), target)

    target = folder_of(tmp_path / "target", "old")
    (tmp_path / "file").write_text("old")
    monkeypatch.setattr(atomic, "_exchange", lambda *_: False)
    for name in ("rename", "replace"):
        monkeypatch.setattr(os, name, broken)
    for replace in (replace_file, replace_folder):
        with pytest.raises(SystemExit, match=re.escape(f": {os.strerror(fault)}. Give a folder that can be written.")):
            write(replace)
    assert (target / "file").read_text() == (tmp_path / "file").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "target"]
