"""A checkpoint of four hosts, of which one host's part is damaged: all go on together from the newest complete one."""

import multiprocessing
import shutil
import socket
from pathlib import Path

import pytest

HOSTS = 4
TIMEOUT_S = 300
pytestmark = [pytest.mark.slow, pytest.mark.start_first]


def host(coordinator: str, index: int, directory: Path, save: bool) -> None:
    """Saves the steps 1 and 2, or restores and writes DIRECTORY/<host>.txt: the step, then the warnings."""
    import logging

    import grain
    import jax
    import jax.numpy as jnp
    from absl import flags

    from stavis_jax.training.checkpointing import checkpoints as module
    from stavis_jax.training.devices import DataParallel, connect
    from stavis_jax.training.progress import Progress

    flags.FLAGS.mark_as_parsed()
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("stavis_jax").addHandler(handler)
    jax.config.update("jax_num_cpu_devices", 1)
    connect(coordinator, HOSTS, index)
    module._PAUSES_S = (0.1,)  # type: ignore[assignment]
    devices, batches = DataParallel(), iter(grain.MapDataset.range(100).to_iter_dataset())
    noise = jax.random.normal(jax.random.key(0), (256, 64))  # what compresses well is not in the files of its host
    states = [devices.replicate({"w": noise + step, "step": jnp.int32(step)}) for step in range(3)]
    with module.Checkpoints(directory / "checkpoints") as kept:
        if save:
            for step in (1, 2):
                next(batches)
                kept.save(step, states[step], batches, Progress({}, epoch=step))
        else:
            state, progress = kept.restore(states[0], batches)
            lines = [f"{int(state['step'])} {progress.epoch} {next(batches)}", *said]
            (directory / f"{index}.txt").write_text("\n".join(lines))
    jax.distributed.shutdown()


def run(directory: Path, save: bool) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{free.getsockname()[1]}"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=host, args=(coordinator, i, directory, save)) for i in range(HOSTS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(TIMEOUT_S)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
    assert codes == [0] * HOSTS


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("hosts")
    run(directory, save=True)
    return directory


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("damage", [Path.unlink, cut], ids=["missing", "cut"])
def test_all_hosts_pass_over_a_checkpoint_that_lacks_one_hosts_part(damage, saved, tmp_path):
    directory = shutil.copytree(saved, tmp_path / "run")
    parts = [
        path for path in (directory / "checkpoints" / "2" / "state" / "ocdbt.process_2").rglob("*") if path.is_file()
    ]
    assert parts
    for path in parts:
        damage(path)
    run(directory, save=False)
    for index in range(HOSTS):
        first, *said = (directory / f"{index}.txt").read_text().splitlines()
        assert first == "1 1 1", said
        (line,) = [line for line in said if "damaged" in line]
        assert line.startswith(f"{directory / 'checkpoints' / '2'}: damaged (")
        assert line.endswith("Continuing from step 1 instead.")
    assert (directory / "checkpoints" / "2.damaged").is_dir()
