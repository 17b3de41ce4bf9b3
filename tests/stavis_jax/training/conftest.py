"""Makes the module `small_training` importable, which other processes import too."""

import multiprocessing
import os
import sys
from multiprocessing import forkserver
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def small_shards(tmp_path_factory) -> Path:
    import small_training

    return small_training.make_shards(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def start_small(small_shards):
    """Returns a function that runs `small_training` in a new process, forked from one that has imported everything."""
    import small_training

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["small_training"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # the server does not take over sys.path
        forkserver.ensure_running()
    started = []

    def start(directory: Path, *, devices=1, host=None, **changes) -> multiprocessing.Process:
        arguments = (small_shards, directory, changes, devices, host)
        process = context.Process(target=small_training.run_host, args=arguments)
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.join()
