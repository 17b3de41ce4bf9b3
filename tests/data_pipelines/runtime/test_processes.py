"""Deaths of processes that share work; those of a command's: tests/faults/test_workers.py."""

import os
import signal
import time
from concurrent.futures.process import BrokenProcessPool

import pytest

from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.processes import new_pool, worker_death_as_user_error, workers_for


def test_a_death_is_told_the_same_while_another_process_is_being_started():
    with new_pool(2) as pool:
        with pytest.raises(BrokenProcessPool):
            pool.submit(os._exit, 1).result()
        pool._executor_manager_thread.join()  # the pipe to new processes is closed then
        with pytest.raises(UserError, match="a worker process was killed"), worker_death_as_user_error(pool):
            pool._spawn_process()


def test_a_fault_of_the_work_itself_is_no_death():
    with new_pool(1) as pool, pytest.raises(FileNotFoundError), worker_death_as_user_error(pool):
        raise FileNotFoundError("film.mp4")


def test_a_process_that_was_started_while_the_others_were_ended_ends_too():
    """The pool does not end such a process but waits for it: the program would never end."""
    started = []

    def work_while_a_worker_dies():
        with workers_for(2, 2) as executor:
            dead = executor.submit(os._exit, 1)
            dead.exception()
            started.append(executor._mp_context.Process(target=time.sleep, args=(600,)))
            started[0].start()
            executor._processes[started[0].pid] = started[0]
            dead.result()

    with pytest.raises(UserError, match="a worker process was killed"):
        work_while_a_worker_dies()
    started[0].join(timeout=30)
    assert started[0].exitcode == -signal.SIGKILL
