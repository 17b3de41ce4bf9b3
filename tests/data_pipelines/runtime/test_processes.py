"""Deaths of processes that share work; those of a command's: tests/faults/test_workers.py."""

import os
import signal
import subprocess
import sys
import threading
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
    started, is_started = [], threading.Event()

    def work_while_a_worker_dies():
        with workers_for(2, 2) as executor:
            executor.submit(time.sleep, 0).result()  # starts the thread that manages the processes
            manager = executor._executor_manager_thread
            name = next(x for x in ("_join_executor_internals", "join_executor_internals") if hasattr(manager, x))
            wait_for_all = getattr(manager, name)  # called once the pool has ended its processes

            def start_one_more_and_wait(*arguments, **flags):
                started.append(executor._mp_context.Process(target=time.sleep, args=(600,)))
                started[0].start()
                executor._processes[started[0].pid] = started[0]
                is_started.set()
                wait_for_all(*arguments, **flags)

            setattr(manager, name, start_one_more_and_wait)
            dead = executor.submit(os._exit, 1)
            assert is_started.wait(30)
            dead.result()

    with pytest.raises(UserError, match="a worker process was killed"):
        work_while_a_worker_dies()
    ends = time.monotonic() + 30
    while started[0].exitcode is None and time.monotonic() < ends:  # the pool's thread may be the one that is told it
        time.sleep(0.01)
    # From Python 3.12 on, the pool may end it with SIGTERM first.
    assert started[0].exitcode in (-signal.SIGKILL, -signal.SIGTERM)


def test_a_script_without_a_guard_is_told_so_before_a_process_starts(tmp_path):
    script = tmp_path / "script.py"
    imports = "from data_pipelines.runtime.processes import new_pool\n"
    call = "with new_pool(2) as pool: print(pool.submit(abs, -3).result())"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    results = []
    for guard in ("", "if __name__ == '__main__':\n  "):
        script.write_text(imports + guard + call)
        results.append(
            subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, timeout=60)
        )
    unguarded, guarded = results
    assert unguarded.stderr.splitlines()[-1].endswith(
        f"{script}: starts processes, which import this script. Put what it runs below if __name__ == '__main__':, or "
        "give workers=1."
    )
    assert guarded.stdout == "3\n", guarded
