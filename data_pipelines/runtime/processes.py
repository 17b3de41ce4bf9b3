"""Worker processes. They end with the program that started them; a worker that dies is reported."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice
from typing import Any

from data_pipelines.runtime.errors import UserError

JOBS_AHEAD = 2 * (os.cpu_count() or 1)  # later jobs are not created yet, so their arguments take no memory


def new_pool(
    workers: int, start: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()
) -> ProcessPoolExecutor:
    """Returns an executor. Each process calls `start(*arguments)` first.

    Processes are spawned, not forked: the caller may have threads, such as JAX's, which a fork would leave locked.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, context, initializer=_start, initargs=(start, arguments))


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
            executor.shutdown(wait=False, cancel_futures=True)
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


def _start(start: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback; the parent reports it
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
