"""Worker processes. They end with the program that started them; a worker that dies is reported."""

import contextlib
import multiprocessing
import multiprocessing.context
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice
from pathlib import Path
from typing import Any

from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.text_files import read_text

END_SECONDS = 10  # for a process that was killed
JOBS_AHEAD = 2 * (os.cpu_count() or 1)  # later jobs are not created yet, so their arguments take no memory


def new_pool(
    workers: int, start: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()
) -> ProcessPoolExecutor:
    """Returns an executor. Each process calls `start(*arguments)` first.

    Processes are spawned, not forked: the caller may have threads, such as JAX's, which a fork would leave locked.

    Raises:
      UserError: the program is a script without a guard; see `_check_guard`.
    """
    _check_guard()
    return ProcessPoolExecutor(workers, _Context(), initializer=_start, initargs=(start, arguments))


def _check_guard() -> None:
    """Raises UserError if the program is a script without `if __name__ == "__main__":`.

    Each new process imports the script. Without a guard, it runs the script and fails.
    """
    main = sys.modules["__main__"]
    script = getattr(main, "__file__", None)
    if script is None or getattr(main, "__spec__", None) is not None:  # a session, or python -m
        return
    try:
        is_guarded = "__main__" in read_text(Path(script))
    except (OSError, UnicodeError):  # no source, as in a frozen program
        return
    if not is_guarded:
        raise UserError(
            f"{script}: starts processes, which import this script. Put what it runs below "
            "if __name__ == '__main__':, or give workers=1."
        )


class _Process(multiprocessing.context.SpawnProcess):
    """A process that Ctrl-C does not reach, not even while it starts: its parent ends it."""

    def start(self) -> None:
        with sigint_blocked():
            super().start()


class _Context(multiprocessing.context.SpawnContext):
    Process = _Process


@contextlib.contextmanager
def sigint_blocked() -> Iterator[None]:
    """Blocks SIGINT in this thread, and in processes that it starts in the block, for as long as they live."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def worker_death_as_user_error(pool: ProcessPoolExecutor) -> Iterator[None]:
    """Turns the death of a worker process within the block into a UserError."""
    try:
        yield
    except (OSError, RuntimeError):  # BrokenProcessPool is one; others come while a process is being started
        if not pool._broken:
            raise
        # The pool ends its processes and waits for them, but overlooks one that was just starting, and hangs.
        for process in list((pool._processes or {}).values()):
            process.kill()
        raise UserError(
            "--workers: a worker process was killed, possibly because memory was full. Run again with fewer workers."
        ) from None


@contextlib.contextmanager
def workers_for(
    num_jobs: int, workers: int | None, start: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()
) -> Iterator[ProcessPoolExecutor | None]:
    """Yields an executor for `in_parallel`, or None if one process is enough.

    `workers` defaults to one per core and never exceeds the number of jobs. Each process calls `start(*arguments)`
    first; so does this process if it does the work.
    """
    workers = min(workers or os.cpu_count() or 1, max(num_jobs, 1))
    if workers == 1:
        if start:
            start(*arguments)
        yield None
        return
    with new_pool(workers, start, arguments) as executor:
        try:
            with worker_death_as_user_error(executor):  # before shutdown, which forgets the processes
                yield executor
        except BaseException:
            _end_now(executor)
            raise


def in_parallel(
    executor: ProcessPoolExecutor | None, function: Callable, jobs: Iterable[tuple]
) -> Iterator[tuple[int, Any]]:
    """Yields (index of the job, function(*job)) as jobs finish. Without an executor, runs them here in order."""
    numbered = enumerate(jobs)
    if executor is None:
        for index, job in numbered:
            yield index, function(*job)
        return
    running: dict[Future, int] = {}
    while True:
        for index, job in islice(numbered, max(JOBS_AHEAD - len(running), 0)):
            running[executor.submit(function, *job)] = index
        if not running:
            return
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            yield running.pop(future), future.result()


def _end_now(executor: ProcessPoolExecutor) -> None:
    """Ends an executor and the jobs that are running."""
    running = [process for process in multiprocessing.active_children() if isinstance(process, _Process)]
    manager: Any = executor._executor_manager_thread  # `shutdown` forgets it
    executor.shutdown(wait=False, cancel_futures=True)
    for process in running:
        process.kill()
    for ending in (*running, manager):  # so that no process writes any more, and the thread has tidied up
        if ending is not None:
            ending.join(END_SECONDS)


def _start(start: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    end_with_parent()
    if start:
        start(*arguments)


def end_with_parent() -> None:
    """Ends this process when its parent ends.

    Otherwise it would wait for ever, or write into a folder of the next run.
    """

    def wait() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
