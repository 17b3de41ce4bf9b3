"""Preparation that is interrupted goes on where it was, and ends in the same bytes."""

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from data_pipelines import prepare
from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime.errors import UserError
from data_pipelines.shards import datasets, local_runner, resume
from data_pipelines.shards.reader import Shards

# For each number of steps: puts an older output in place, prepares in a process that is killed before the next step,
# and prepares once more to the end. A step writes a frame or metadata, or flushes, renames, links or removes something.
# Prints for each number: how the first process ended, what the output was then, and what it was in the end.
KILLED_PROGRAM = """
import hashlib, json, os, shutil, signal, sys
from pathlib import Path
from data_pipelines import prepare
from data_pipelines.runtime import atomic
from data_pipelines.shards import datasets, resume, writer

raw, older, output = map(Path, sys.argv[1:4])
swaps = sys.argv[4] == "swaps"

def die_after(steps):
    def counted(function):
        def counting(*args, **kwargs):
            nonlocal steps
            steps -= 1
            if steps < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)
        return counting
    writer.RecordWriter.write = counted(writer.RecordWriter.write)
    datasets.Dataset.write_metadata = counted(datasets.Dataset.write_metadata)
    writer.flush_to_disk = resume.flush_to_disk = counted(writer.flush_to_disk)
    os.link, Path.rename, shutil.rmtree = counted(os.link), counted(Path.rename), counted(shutil.rmtree)
    atomic._exchange = counted(atomic._exchange if swaps else lambda *_: False)

def prepare_in_a_child(steps):
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if steps is not None:
        die_after(steps)
    prepare.prepare(raw, output, size=8, workers=1, overwrite=True)
    os._exit(0)

def digest():
    files = sorted(path for path in output.rglob("*") if path.is_file())
    content = b"".join(str(path.relative_to(output)).encode() + path.read_bytes() for path in files)
    return hashlib.sha256(content).hexdigest() if files else "absent"

for steps in map(int, sys.argv[5:]):
    shutil.copytree(older, output)
    killed, between = prepare_in_a_child(steps), digest()
    resumed, final = prepare_in_a_child(None), digest()
    print(json.dumps([killed, between, resumed, final, sorted(os.listdir(output.parent))]))
    shutil.rmtree(output)
"""

# The command, with worker processes that never finish the film "long". They import this file too.
WAITING_PROGRAM = """
import time
from data_pipelines.prepare import main
from data_pipelines.shards import local_runner

def write_or_wait(folder, layout, film, *rest, write=local_runner.write_film_records):
    if film.name == "long":
        time.sleep(600)
    write(folder, layout, film, *rest)

local_runner.write_film_records = write_or_wait
if __name__ == "__main__":
    main()
"""


@pytest.fixture
def small_raw(tmp_path, film_writer, list_writer) -> Path:
    """Three films of 2 to 4 frames."""
    root = tmp_path / "raw"
    for number, video in enumerate(("one", "two", "three")):
        film_writer(root, "Mine", video, 2 + number, seed=number)
    list_writer(root, "Mine_list_train_fps.txt", "one 2 10\ntwo 3 10\nthree 4 10\n")
    list_writer(root, "Mine_list_test_fps.txt", "two 3 10\n")
    return root


def run(raw, output, **settings):
    return prepare.prepare(raw, output, **{"size": 8, "workers": 1} | settings)


def interrupt(raw, output, films, **settings):
    """Prepares until so many films are finished."""
    write, begun = local_runner.write_film_records, []

    def write_or_stop(*args):
        begun.append(args)
        if len(begun) > films:
            raise RuntimeError("interrupted")
        write(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_runner, "write_film_records", write_or_stop)
        with pytest.raises(RuntimeError, match="interrupted"):
            run(raw, output, **settings)


def count_written(raw, output, **settings):
    """Prepares, and returns how many films were written."""
    write, begun = local_runner.write_film_records, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_runner, "write_film_records", lambda *args: begun.append(args) or write(*args))
        run(raw, output, **settings)
    return len(begun)


def digest(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    content = b"".join(str(path.relative_to(folder)).encode() + path.read_bytes() for path in files)
    return hashlib.sha256(content).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("swaps", "steps", "states"),
    [
        # The last steps of each are around the moment when the output is replaced.
        ("swaps", [0, 6, 13, 25, 36, 46, 47], ["older", "new"]),
        ("renames", [36, 47, 48, 49], ["older", "absent", "new"]),
    ],
)
def test_killed_at_any_step_it_ends_in_the_same_bytes(small_raw, tmp_path, swaps, steps, states):
    new, older = (digest(run(small_raw, tmp_path / str(size), size=size)) for size in (8, 6))
    arguments = [small_raw, tmp_path / "6", tmp_path / "here" / "shards", swaps, *steps]
    (tmp_path / "here").mkdir()
    program = subprocess.run(
        [sys.executable, "-c", KILLED_PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    outcomes = [json.loads(line) for line in program.stdout.splitlines()]
    assert len(outcomes) == len(steps)
    for killed, _, resumed, final, left in outcomes:
        assert killed == -signal.SIGKILL
        assert (resumed, final, left) == (0, new, ["shards"])
    names = {older: "older", "absent": "absent", new: "new"}
    assert list(dict.fromkeys(names[between] for _, between, *_ in outcomes)) == states


@pytest.mark.slow
def test_workers_end_with_a_killed_command_and_its_films_are_kept(tiny_raw, tiny_shards, tmp_path):
    output, films = tmp_path / "shards", tmp_path / ".shards.unfinished" / "films"
    (tmp_path / "waiting.py").write_text(WAITING_PROGRAM)
    flags = ["--data", tiny_raw, "--output", output, "--size", "8", "--workers", "2"]
    command = subprocess.Popen([sys.executable, str(tmp_path / "waiting.py"), *map(str, flags)])
    wait_until(lambda: films.is_dir() and len(list(films.iterdir())) == 2)
    processes = psutil.Process(command.pid).children(recursive=True)
    assert len(processes) >= 2
    command.kill()
    command.wait()
    wait_until(lambda: not any(process.is_running() for process in processes))
    assert count_written(tiny_raw, output) == 1
    assert digest(output) == digest(tiny_shards)


def wait_until(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise TimeoutError


def test_finished_films_are_used_and_counted(small_raw, tmp_path, caplog, capsys):
    expected = digest(run(small_raw, tmp_path / "expected"))
    interrupt(small_raw, tmp_path / "shards", films=2)
    assert "2 finished films wait in" in caplog.text
    assert not (tmp_path / "shards").exists()
    assert count_written(small_raw, tmp_path / "shards") == 1
    assert "2 of 3 films were finished by an earlier run" in capsys.readouterr().err
    assert digest(tmp_path / "shards") == expected
    assert sorted(os.listdir(tmp_path)) == ["expected", "raw", "shards"]


@pytest.mark.parametrize("settings", [{"size": 6}, {"resize_filter": "nearest"}, {"annotations": False}])
def test_other_settings_start_anew(small_raw, tmp_path, settings):
    interrupt(small_raw, tmp_path / "shards", films=2)
    interrupt(small_raw, tmp_path / "shards", films=1, **settings)
    assert len(list((tmp_path / ".shards.unfinished" / "films").iterdir())) == 1
    assert count_written(small_raw, tmp_path / "shards", **settings) == 2


def test_film_whose_files_or_line_have_changed_is_written_again(small_raw, tmp_path, list_writer):
    interrupt(small_raw, tmp_path / "shards", films=2)  # four frames, then three
    path = RawLayout(small_raw).density_path("Mine", "two", 3)
    shutil.copy(RawLayout(small_raw).density_path("Mine", "two", 1), path)
    list_writer(small_raw, "Mine_list_train_fps.txt", "one 2 10\ntwo 3 10\nthree 4 12\n")
    assert count_written(small_raw, tmp_path / "shards") == 3
    run(small_raw, tmp_path / "expected")
    assert digest(tmp_path / "shards") == digest(tmp_path / "expected")


def test_killed_when_the_output_has_its_name_it_leaves_no_films_that_wait(small_raw, tmp_path):
    output = tmp_path / "shards"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resume.shutil, "rmtree", lambda *_, **__: None)  # what comes after the rename
        run(small_raw, output)
    expected = digest(output)
    assert len(list((tmp_path / ".shards.unfinished" / "films").iterdir())) == 3
    with pytest.raises(UserError, match="exists already"):
        run(small_raw, output)
    assert sorted(os.listdir(tmp_path)) == ["raw", "shards"]
    assert digest(output) == expected


def test_films_wait_though_there_is_an_older_output(small_raw, tmp_path):
    run(small_raw, tmp_path / "shards")
    interrupt(small_raw, tmp_path / "shards", films=2, overwrite=True)
    with pytest.raises(UserError, match="exists already"):
        run(small_raw, tmp_path / "shards")
    assert count_written(small_raw, tmp_path / "shards", overwrite=True) == 1


def test_second_run_for_an_output_is_refused(small_raw, tmp_path):
    write, refused = local_runner.write_film_records, []

    def write_and_start_another(*args):
        if not refused:
            refused.append("asked")
            with pytest.raises(UserError, match=r"shards: another run is writing to it"):
                run(small_raw, tmp_path / "shards")
        write(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_runner, "write_film_records", write_and_start_another)
        run(small_raw, tmp_path / "shards")
    assert refused
    assert len(Shards(tmp_path / "shards").films) == 3


def test_older_output_comes_back_if_its_replacing_was_interrupted(small_raw, tmp_path):
    older = digest(run(small_raw, tmp_path / "shards"))
    (tmp_path / ".shards.unfinished").mkdir()
    (tmp_path / "shards").rename(tmp_path / ".shards.unfinished" / "older")
    with pytest.raises(UserError, match="exists already"):
        run(small_raw, tmp_path / "shards", size=6)
    assert digest(tmp_path / "shards") == older
    assert sorted(os.listdir(tmp_path)) == ["raw", "shards"]


def test_disk_without_hard_links_will_do(small_raw, tmp_path, monkeypatch):
    expected = digest(run(small_raw, tmp_path / "expected"))

    def no_links(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    def interrupted(*_, **__):
        raise RuntimeError("interrupted")

    monkeypatch.setattr(os, "link", no_links)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.Dataset, "write_metadata", interrupted)
        with pytest.raises(RuntimeError, match="interrupted"):
            run(small_raw, tmp_path / "shards")
    assert digest(run(small_raw, tmp_path / "shards")) == expected
