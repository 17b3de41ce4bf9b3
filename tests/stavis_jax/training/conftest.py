"""Makes the module `small_training` importable, which other processes import too."""

import multiprocessing
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def small_shards(tmp_path_factory) -> Path:
    import small_training

    return small_training.make_shards(tmp_path_factory.mktemp("small"))


@pytest.fixture
def start_small(small_shards, monkeypatch):
    """Returns a function that runs `small_training` in a new process, forked from one that has imported everything."""
    import small_training

    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["small_training"])
    started = []

    def start(directory: Path, **changes) -> multiprocessing.Process:
        process = context.Process(target=small_training.run_alone, args=(small_shards, directory, changes))
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.join()
