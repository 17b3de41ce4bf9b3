"""Answers SIGABRT, by which JAX's connection between hosts ends the process when the first host is gone."""

import contextlib
import ctypes
import os
import signal
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def answer_aborts(answer: Callable[[], None]) -> Iterator[None]:
    """In the `with` block, abort() calls `answer`, in the thread that aborts. If it returns, the process aborts.

    A handler of Python's own would be of no use: it runs in the main thread, and abort() does not wait for it.
    """
    libc = ctypes.CDLL(None)
    handler_type = ctypes.CFUNCTYPE(None, ctypes.c_int)
    libc.signal.restype, libc.signal.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p)

    def handle(_: int) -> None:
        try:
            answer()
        finally:
            libc.signal(signal.SIGABRT, None)  # SIG_DFL
            os.abort()

    handler = handler_type(handle)
    before = libc.signal(signal.SIGABRT, ctypes.cast(handler, ctypes.c_void_p))
    try:
        yield
    finally:
        libc.signal(signal.SIGABRT, before)
        _kept.append(handler)  # another thread may be in it


_kept: list[object] = []
