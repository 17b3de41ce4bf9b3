"""Gives memory that malloc keeps after it was freed back to the system."""

import ctypes
import functools
import platform
from collections.abc import Callable


def give_back_freed_memory() -> None:
    """Gives the memory of freed buffers back to the system. Does nothing without glibc."""
    if trim := _malloc_trim():
        trim(0)


@functools.cache
def _malloc_trim() -> Callable[[int], int] | None:
    return ctypes.CDLL(None).malloc_trim if platform.libc_ver()[0] == "glibc" else None
