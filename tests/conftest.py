"""Settings of every test: strict types and ranks, eight CPU devices, one cache of compiled functions."""

import os
import shutil
import tempfile

import jax
import pytest
from absl import flags

CACHE = "JAX_COMPILATION_CACHE_DIR"
LEAST_SECONDS = "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"
pytest_plugins = ["commands", "golden_checkpoints"]


def pytest_configure(config: pytest.Config) -> None:
    """Shares one cache of all compiled functions, small ones included, between the workers and their child processes.

    The cache is temporary, unless JAX_COMPILATION_CACHE_DIR names a folder, which the next run can use again.
    """
    config.temporary_cache = None
    if CACHE not in os.environ:
        config.temporary_cache = os.environ[CACHE] = tempfile.mkdtemp(prefix="compiled-")
    os.environ.setdefault(LEAST_SECONDS, "0")
    jax.config.update("jax_compilation_cache_dir", os.environ[CACHE])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", float(os.environ[LEAST_SECONDS]))


@pytest.fixture(autouse=True)
def quick_compilation(request: pytest.FixtureRequest):
    """Compiles without optimization, since compiling takes most of a test's time, unless the test asks for it."""
    optimize = request.node.get_closest_marker("full_optimization") is not None
    jax.config.update("jax_disable_most_optimizations", not optimize)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def pytest_unconfigure(config: pytest.Config) -> None:
    if config.temporary_cache:
        shutil.rmtree(config.temporary_cache, ignore_errors=True)


jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
flags.FLAGS.mark_as_parsed()  # grain's workers read absl flags


@pytest.hookimpl(tryfirst=True)  # before pytest applies -m
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test that is not slow as quick, and puts the longest files first.

    Otherwise one worker may start the longest file last while the other is idle.
    """
    for item in items:
        if item.get_closest_marker("slow") is None:
            item.add_marker("quick")
    items.sort(key=lambda item: item.get_closest_marker("start_first") is None)
