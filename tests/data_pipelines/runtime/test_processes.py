"""Deaths of processes that share work; those of a command's: tests/faults/test_workers.py."""

import os
from concurrent.futures.process import BrokenProcessPool

import pytest

from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.processes import new_pool, worker_death_as_user_error


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
