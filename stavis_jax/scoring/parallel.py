"""Work over processes, a few jobs ahead at a time."""

import concurrent.futures
import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from data_pipelines.runtime.processes import deaths_told, new_pool

JOBS_AHEAD = 2 * (os.cpu_count() or 1)  # later ones are not made yet: their arguments take no memory


@contextlib.contextmanager
def processes(workers: int | None, num_jobs: int) -> Iterator[concurrent.futures.ProcessPoolExecutor | None]:
    """Processes for `in_parallel`: `workers`, by default one a core, not more than jobs. None where one would do."""
    workers = min(workers or os.cpu_count() or 1, max(num_jobs, 1))
    if workers == 1:
        yield None
        return
    with new_pool(workers) as executor, deaths_told(executor):
        try:
            yield executor
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise


def in_parallel(
    executor: concurrent.futures.ProcessPoolExecutor | None, function: Callable, jobs: Iterable[tuple]
) -> Iterator[tuple[int, Any]]:
    """Yields (index of the job, function(*job)) as they are done; without an executor one after the other, here."""
    numbered = enumerate(jobs)
    if executor is None:
        for index, job in numbered:
            yield index, function(*job)
        return
    running: dict[concurrent.futures.Future, int] = {}
    while True:
        for index, job in islice(numbered, max(JOBS_AHEAD - len(running), 0)):
            running[executor.submit(function, *job)] = index
        if not running:
            return
        done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
        for future in done:
            yield running.pop(future), future.result()
