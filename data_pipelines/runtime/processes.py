"""Processes of this machine that share work: they end with the program that started them, and it tells if one dies."""

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from data_pipelines.runtime.errors import UserError


def new_pool(workers: int, start: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()):
    """An executor. `start(*arguments)` is called in each process first. Spawned, not forked: whoever calls this may
    have threads, JAX's for one, which a fork would leave locked.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, context, initializer=_start, initargs=(start, arguments))


@contextlib.contextmanager
def deaths_told(pool: ProcessPoolExecutor) -> Iterator[None]:
    """Makes the death of one of its processes within the block a UserError."""
    try:
        yield
    except (OSError, RuntimeError):  # BrokenProcessPool is one; others come where it was just starting another process
        if not pool._broken:
            raise
        # The pool ends the others and waits for them, but overlooks one that was just starting: for ever.
        for process in list((pool._processes or {}).values()):
            process.kill()
        raise UserError(
            "--workers: one of the processes was killed, perhaps for want of memory. Run again with fewer."
        ) from None


def _start(start: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if start:
        start(*arguments)


def _end_with_parent() -> None:
    """A process whose parent is killed would wait for ever, or write into a folder that the next run removes."""
    multiprocessing.parent_process().join()
    os._exit(1)
