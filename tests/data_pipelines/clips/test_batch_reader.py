"""Reading ahead: positions, faults on the way, and processes that end when they should."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import grain
import numpy as np
import psutil
import pytest

from data_pipelines.clips.batch_memory import SlotBatch
from data_pipelines.clips.batch_reader import BatchReader
from data_pipelines.runtime.errors import UserError

GRAINS_NOTE = "Grain multiprocess worker profiling requires jaxlib"  # logged by every process before jaxlib 0.11

# Keeps its last batch and closes nothing: what comes then is up to the reader.
PROGRAM = """
import multiprocessing, os, signal, sys, time
import grain, numpy as np
from data_pipelines.clips.batch_reader import BatchReader

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts tests in the background ignores it
batches = BatchReader(grain.MapDataset.source([{"number": np.array([i])} for i in range(50)]), num_workers=1)
batch = next(batches)
print(multiprocessing.active_children()[0].pid, flush=True)
if sys.argv[1] == "wait":
    time.sleep(60)
try:
    os.killpg(0, signal.SIGINT)  # as Ctrl-C does: to the reading process too
    time.sleep(60)
except KeyboardInterrupt:
    batch = [next(batches) for _ in range(20)][-1]
    print(batch["number"])
"""


def numbers(count):
    return grain.MapDataset.source([{"number": np.array([number])} for number in range(count)])


def start_program(how):
    command = [sys.executable, "-c", PROGRAM, how]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def is_running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_position_may_be_anywhere_up_to_the_end():
    batches = BatchReader(numbers(5))
    for position, expected in ((3, [3, 4]), (0, [0, 1, 2, 3, 4]), (5, [])):
        batches.set_state({"next_index": position})
        assert [int(batch["number"][0]) for batch in batches] == expected
        assert batches.get_state() == {"next_index": 5}


def test_after_a_fault_the_same_batch_comes_again():
    faults = [OSError("the disk is gone")]

    def read(element):
        if element["number"][0] == 3 and faults:
            raise faults.pop()
        return element

    batches = BatchReader(numbers(8).map(read))
    assert [int(next(batches)["number"][0]) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="the disk is gone"):
        next(batches)
    assert [int(next(batches)["number"][0]) for _ in range(3)] == [3, 4, 5]


def test_closed_batches_do_not_start_again():
    batches = BatchReader(numbers(5))
    batches.close()
    with pytest.raises(ValueError, match="closed"):
        next(batches)


@pytest.mark.slow
def test_a_killed_reading_process_ends_in_one_line_and_the_position_stays():
    batches = BatchReader(numbers(50), num_workers=1)
    next(batches)
    (process,) = multiprocessing.active_children()
    os.kill(process.pid, signal.SIGKILL)
    begin = time.monotonic()
    with pytest.raises(UserError, match="num_workers 1: a process that reads batches was killed") as fault:
        list(batches)
    assert time.monotonic() - begin < 20
    assert "\n" not in str(fault.value)
    position = batches.get_state()["next_index"]  # some batches were waiting already
    assert 1 <= position < 50
    batches._num_workers = 0  # a process costs a second
    assert next(batches)["number"] == [position]
    batches.close()


def test_a_process_that_was_killed_before_its_batch_is_opened_loses_no_batch():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    class Sent:
        def __next__(self):
            return SlotBatch((ended.pid, 3, 0), 0, {"number": ((1,), "int64")}, {})

        def close(self):
            pass

    batches = BatchReader(numbers(5), num_workers=1)
    batches._running.append(Sent())
    with pytest.raises(UserError, match="num_workers 1: a process that reads batches was killed"):
        next(batches)
    batches._num_workers = 0
    assert next(batches)["number"] == [0]
    batches.close()


@pytest.mark.slow
def test_reading_processes_end_with_a_program_that_was_killed():
    with start_program("wait") as program:
        pid = int(program.stdout.readline())
        assert is_running(pid)
        program.kill()
        program.wait()
        for _ in range(100):
            if not is_running(pid):
                return
            time.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
        pytest.fail("it runs on")


@pytest.mark.slow
def test_ctrl_c_is_the_programs_alone_and_it_ends_without_noise():
    output, noise = start_program("interrupt").communicate(timeout=60)
    assert output.splitlines()[1] == "[20]"
    assert [line for line in noise.splitlines() if GRAINS_NOTE not in line] == []
