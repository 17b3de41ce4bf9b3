"""Two hosts, each a process of its own, with reading processes of theirs: who reads what, also after a restart.

Seven clips and batches of two: an epoch's end falls anywhere in the hosts' batches.
"""

import json
import subprocess
import sys

import numpy as np
import pytest

from data_pipelines.clips.batches import clips_per_epoch, training_batches
from data_pipelines.prepare import prepare
from data_pipelines.synthesize import synthesize

NUM_CLIPS = 7
NUM_BATCHES = 6  # 24 clips of both hosts: three epochs and the start of a fourth
MIDDLE = 2
SETTINGS = {"split": 1, "batch_size": 2, "seed": 5}
WORKERS = [0, 1, 2]

# Reads each of its jobs' batches and saves them, with the state before the third.
HOST = """
import json, sys
import numpy as np
from data_pipelines.clips.batches import training_batches

shards, output, jobs = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
for name, job in jobs.items():
    batches, states, found = training_batches(shards, **job["settings"]), [], []
    if job["state"]:
        batches.set_state(job["state"])
    for _ in range(job["count"]):
        states.append(batches.get_state())
        found.append(next(batches))
    batches.close()
    np.savez(f"{output}/{name}", **{key: np.stack([batch[key] for batch in found]) for key in found[0]})
    with open(f"{output}/{name}.json", "w") as file:
        json.dump(states, file)
"""


def run_hosts(shards, output, jobs_of_hosts):
    """Name of job -> (its batches stacked [number, batch, ...], its states). A process a host, all at once."""
    output.mkdir()
    processes = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", HOST, str(shards), str(output), json.dumps(jobs)])
        for jobs in jobs_of_hosts
    ]
    assert [process.wait(timeout=120) for process in processes] == [0] * len(processes)
    return {
        name: (dict(np.load(output / f"{name}.npz")), json.loads((output / f"{name}.json").read_text()))
        for jobs in jobs_of_hosts
        for name in jobs
    }


def job(host, num_workers, count, state=None):
    settings = {**SETTINGS, "num_workers": num_workers, "host_index": host, "host_count": 2}
    return {"settings": settings, "count": count, "state": state}


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Films of one window each."""
    folder = tmp_path_factory.mktemp("seven")
    films = {"num_train_films": NUM_CLIPS, "num_test_films": 1, "num_frames": 20, "frame_size": (32, 32)}
    synthesize(folder / "raw", **films, workers=1)
    return prepare(folder / "raw", folder / "shards", size=8, workers=1)


@pytest.fixture(scope="module")
def read(shards, tmp_path_factory):
    """(host, num_workers) -> batches and states."""
    jobs = [{f"{host}-{workers}": job(host, workers, NUM_BATCHES) for workers in WORKERS} for host in (0, 1)]
    found = run_hosts(shards, tmp_path_factory.mktemp("hosts") / "found", jobs)
    return {(host, workers): found[f"{host}-{workers}"] for host in (0, 1) for workers in WORKERS}


@pytest.mark.slow
@pytest.mark.parametrize("num_workers", WORKERS)
def test_in_each_epoch_the_hosts_read_every_clip_and_none_twice(shards, read, num_workers):
    assert clips_per_epoch(shards, split=1) == NUM_CLIPS
    hosts = [read[host, num_workers][0]["clip_index"].reshape(-1) for host in (0, 1)]
    in_turn = np.concatenate([host.reshape(NUM_BATCHES, -1) for host in hosts], axis=1).reshape(-1)
    epochs = in_turn[: 3 * NUM_CLIPS].reshape(3, NUM_CLIPS)
    assert np.sort(epochs).tolist() == [list(range(NUM_CLIPS))] * 3
    assert len({tuple(epoch) for epoch in epochs.tolist()}) == 3


@pytest.mark.slow
@pytest.mark.parametrize("num_workers", WORKERS)
def test_the_hosts_batches_together_are_one_hosts_batch(shards, read, num_workers):
    alone = training_batches(shards, **(SETTINGS | {"batch_size": 4}))
    for step in range(NUM_BATCHES):
        batch = next(alone)
        for host in (0, 1):
            for key, values in read[host, num_workers][0].items():
                np.testing.assert_array_equal(values[step], batch[key][2 * host : 2 * host + 2])


@pytest.mark.slow
def test_a_state_continues_exactly_in_a_new_process_with_another_number_of_workers(shards, read, tmp_path):
    saved = {workers: read[1, workers][1][MIDDLE] for workers in WORKERS}
    assert saved[0] == saved[1] == saved[2]  # so that any goes on with any
    jobs = {f"with-{workers}": job(1, workers, 3, saved[(workers + 1) % 3]) for workers in WORKERS}
    resumed = run_hosts(shards, tmp_path / "resumed", [jobs])
    for workers in WORKERS:
        batches, states = resumed[f"with-{workers}"]
        assert states == read[1, workers][1][MIDDLE : MIDDLE + 3]
        for key, values in read[1, workers][0].items():
            np.testing.assert_array_equal(batches[key], values[MIDDLE : MIDDLE + 3])
