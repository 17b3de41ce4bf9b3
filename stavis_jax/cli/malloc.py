"""glibc's malloc: big buffers stay with the program.

By default they go back to the kernel when they are freed, and the next step waits for fresh pages: on a CPU a quarter
of a training step. For programs of our own; a library does not decide that for the program that uses it.
"""

import ctypes
import platform

M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8  # malloc.h
MUCH = 2**31 - 1  # bytes; mallopt takes an int


def keep_big_buffers() -> None:
    """Call before threads start. Without glibc, nothing happens. MALLOC_TRIM_THRESHOLD_ and the like are overruled."""
    if platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(M_ARENA_MAX, 1)  # a thread's own arena cannot hold big buffers
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, MUCH)
