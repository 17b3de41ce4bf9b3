"""Settings of every test: strict types and ranks, eight CPU devices, one cache of compiled functions."""

import os
import shutil
import tempfile

import jax
import pytest
from absl import flags
from jax._src import compiler

CACHE = "JAX_COMPILATION_CACHE_DIR"
EMITTERS = "xla_cpu_use_fusion_emitters"  # without optimization, XLA:CPU compiles three times faster without them
QUICKLY = f" --{EMITTERS}=false" if jax.__version_info__ < (0, 11) else ""  # later versions do not know this flag
LEAST_SECONDS = "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"
pytest_plugins = ["commands", "golden_checkpoints", "no_network", "small_trainings"]


def pytest_configure(config: pytest.Config) -> None:
    """Shares one cache of all compiled functions, small ones included, between the workers and their child processes.

    The cache is temporary, unless JAX_COMPILATION_CACHE_DIR names a folder, which the next run can use again.
    """
    config.temporary_cache = None
    if CACHE not in os.environ:
        config.temporary_cache = os.environ[CACHE] = tempfile.mkdtemp(prefix="compiled-")
    os.environ.setdefault(LEAST_SECONDS, "0")
    if QUICKLY not in os.environ.get("XLA_FLAGS", ""):
        os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + QUICKLY
    jax.config.update("jax_compilation_cache_dir", os.environ[CACHE])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", float(os.environ[LEAST_SECONDS]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item):
    """Compiles without optimization, since compiling takes most of a test's time, unless the test asks for it.

    A test that asks for it compiles as users do, in this process and in those that it starts.
    """
    if item.get_closest_marker("full_optimization") is None:
        return (yield)
    jax.devices()  # XLA reads XLA_FLAGS now, and for this process never again
    # No public function sets options for everything that is compiled.
    usual, as_usual = compiler.get_compile_options, {EMITTERS: True} if QUICKLY else {}

    def as_users_do(*arguments, env_options_overrides: dict | None = None, **options):
        return usual(*arguments, env_options_overrides=as_usual | (env_options_overrides or {}), **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLA_FLAGS", os.environ.get("XLA_FLAGS", "").replace(QUICKLY, ""))
        patch.setattr(compiler, "get_compile_options", as_users_do)
        jax.config.update("jax_disable_most_optimizations", False)
        try:
            return (yield)
        finally:
            jax.config.update("jax_disable_most_optimizations", True)


def pytest_unconfigure(config: pytest.Config) -> None:
    if config.temporary_cache:
        shutil.rmtree(config.temporary_cache, ignore_errors=True)


jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_disable_most_optimizations", True)
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
