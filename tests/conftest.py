"""What every test runs under: strict types and ranks, eight CPU devices, one cache of compiled functions."""

import os
import shutil
import tempfile

import jax
import pytest
from absl import flags

CACHE = "JAX_COMPILATION_CACHE_DIR"
FULLY_OPTIMIZED = ("test_ablate.py", "test_golden_training.py", "test_demo.py", "test_ingest.py")


def pytest_configure(config: pytest.Config) -> None:
    """Shares one cache of compiled functions between all workers and their child processes.

    The cache is temporary, unless JAX_COMPILATION_CACHE_DIR names a folder: that one is kept for the next run.
    """
    config.temporary_cache = None
    if CACHE not in os.environ:
        config.temporary_cache = os.environ[CACHE] = tempfile.mkdtemp(prefix="compiled-")
    jax.config.update("jax_compilation_cache_dir", os.environ[CACHE])


@pytest.fixture(autouse=True)
def quick_compilation(request: pytest.FixtureRequest):
    """Compiling is most of the time of most tests. Not where numbers are to be those of full optimisation."""
    quick = request.path.name not in FULLY_OPTIMIZED
    jax.config.update("jax_disable_most_optimizations", quick)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def pytest_unconfigure(config: pytest.Config) -> None:
    if config.temporary_cache:
        shutil.rmtree(config.temporary_cache, ignore_errors=True)


jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
flags.FLAGS.mark_as_parsed()  # grain's workers read absl flags


LONGEST = ("test_demo.py", "test_golden_training.py", "test_several_hosts.py", "test_loop.py", "test_kills.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: a worker that begins one of them last keeps the other one waiting."""
    rank = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(LONGEST)))
