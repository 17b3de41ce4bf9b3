"""Settings of a command's process: memory allocation and the cache of compiled functions.

Only commands use these settings. A library leaves them to the program that imports it.
"""

import ctypes
import os
import platform
from pathlib import Path
from typing import Any

import platformdirs

M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8  # malloc.h
LARGEST_INT = 2**31 - 1  # bytes; mallopt takes an int
CACHE_BYTES = 4 * 2**30
LEAST_COMPILE_SECONDS = "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"


def prepare_training() -> None:
    """Applies every setting of this module, and hides orbax's reports on each step of each checkpoint."""
    from absl import logging

    logging.set_verbosity(logging.WARNING)
    keep_big_buffers()
    enable_compilation_cache()


def keep_big_buffers() -> None:
    """Makes glibc's malloc keep big buffers when they are freed.

    By default they go back to the kernel, and the next step waits for fresh pages: a quarter of a training step on a
    CPU. Call this before threads start. It overrides MALLOC_TRIM_THRESHOLD_ and similar variables, and does nothing
    without glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(M_ARENA_MAX, 1)  # a thread's own arena cannot hold big buffers
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, LARGEST_INT)


def enable_compilation_cache() -> None:
    """Caches compiled functions on disk, so that only the first run on a machine waits for the compiler.

    The cache is in the user's cache folder, or in JAX_COMPILATION_CACHE_DIR if that variable is set.
    """
    import jax  # here, since it takes seconds that --help need not wait for

    config: Any = jax.config  # its settings have no types
    if config.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", str(Path(platformdirs.user_cache_dir("stavis_jax")) / "xla"))
        jax.config.update("jax_compilation_cache_max_size", CACHE_BYTES)
    if LEAST_COMPILE_SECONDS not in os.environ:
        jax.config.update(LEAST_COMPILE_SECONDS.lower(), 0)  # dozens of small functions take a second
