"""A training of a few seconds, for tests that start and stop processes.

It has the real data pipeline, the real loop, and a network small enough to be compiled in a second.
"""

import contextlib
import functools
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grain
import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from flax import nnx
from rich.console import Console

from data_pipelines.clips.batches import evaluation_batches, training_batches
from data_pipelines.prepare import prepare
from data_pipelines.runtime.atomic import replaced_file
from data_pipelines.runtime.command import command
from data_pipelines.shards.reader import Shards
from data_pipelines.synthesize import synthesize
from stavis_jax.models.layers import BatchNorm, Conv2D, Conv3D
from stavis_jax.models.resnet3d import Layer
from stavis_jax.models.stavis import NetworkConfig, Outputs
from stavis_jax.ops.backend_form import BackendForm
from stavis_jax.ops.upsampling import upsample_bilinear
from stavis_jax.ops.video import lay_out, map_frames, time_mean
from stavis_jax.training.batches.device_films import DeviceFilms
from stavis_jax.training.devices import DataParallel, connect, is_first_host, leaving_together
from stavis_jax.training.loop import TrainingData, train
from stavis_jax.training.settings import TrainingSettings
from stavis_jax.watch import pulse
from stavis_jax.watch.settings import WatchSettings
from stavis_jax.watch.watch import Watch
from stavis_jax.weights.flat_names import read_network

SIZE = 16  # pixels
STEPS_PER_EPOCH = 3
RATES = {"trunk": 0.1, "heads": 0.01, "sound": 0.0, "localization": 0.0}
SETTINGS = {"epochs": 4, "batch_size": 2, "effective_batch": 4, "learning_rate": 0.01, "group_rates": RATES}


class SmallTrunk(nnx.Module):
    """A stem and one residual block of the real layers."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.conv1, self.bn1 = Conv3D(3, 4, 3, (4, 2, 2), rngs=rngs), BatchNorm(4)
        self.layer1 = Layer(10, 4, 4, 1, 2, "B", rngs=rngs)
        self.dtype = jnp.dtype(jnp.float32)

    def __call__(self, clip, train: bool):
        clip = map_frames(lambda x: x.astype(self.dtype), clip)
        return self.layer1(map_frames(nnx.relu, self.bn1(self.conv1(clip), train)), train)


class SmallHead(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs):
        self.conv = Conv2D(4, 1, 1, rngs=rngs)

    def __call__(self, features: jax.Array) -> jax.Array:
        return self.conv(features)[..., 0]


class SmallNetwork(nnx.Module):
    """A network with the parts that the loop needs, under the real names. Its side output is half its logits."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.config, self.form = NetworkConfig("visual", depth=10), BackendForm.for_platform()
        self.trunk, self.fuse = SmallTrunk(rngs=rngs), SmallHead(rngs=rngs)
        self.set_attributes(Conv2D, Conv3D, form=self.form)

    def __call__(self, clip, waveform, *, train: bool = False) -> Outputs:
        video = self.trunk(lay_out(clip, self.form.layout), train)
        features = time_mean(video)
        logits = upsample_bilinear(self.fuse(features), clip.shape[2:4])
        attention = jax.nn.softmax(features[..., 0], axis=(1, 2))
        return Outputs(logits, (0.5 * logits,), (attention,) * 4, None)


def make_shards(folder: Path, test_films: int = 2) -> Path:
    """Makes shards of short films. Seven are to train on: three batches of two and one clip per epoch."""
    counts = {"num_train_films": 7, "num_test_films": test_films}
    synthesize(folder / "raw", **counts, num_frames=18, frame_size=(48, 48), seed=0, workers=1)
    return prepare(folder / "raw", folder / "shards", size=SIZE, annotations=False, workers=1)


class SpoiledBatches(grain.DatasetIterator):
    """Batches of which some, numbered from 0, give a loss that is not finite. Only the last host's share is spoiled."""

    def __init__(self, batches: Any, spoiled: Sequence[int]):
        super().__init__()
        self._batches, self._spoiled = batches, spoiled

    def __next__(self):
        number = self._batches.get_state()["next_index"]
        batch = next(self._batches)
        if number in self._spoiled and jax.process_index() == jax.process_count() - 1:
            batch["weight"][-1] = np.nan
        return batch

    def get_state(self):
        return self._batches.get_state()

    def set_state(self, state):
        self._batches.set_state(state)


def train_small(
    shards: Path,
    directory: Path,
    *,
    devices: DataParallel | None = None,
    on_device: bool = False,
    per_device: bool = False,
    spoiled: Sequence[int] = (),
    **changes,
) -> None:
    """Trains in a directory, or goes on there, and writes DIRECTORY/last.npz. Every host calls it.

    Args:
      on_device: whether the films are in the devices' memory.
      per_device: whether BatchNorm takes statistics on each device.
      spoiled: numbers of batches whose loss is not finite; see `SpoiledBatches`.
    """
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()  # grain reads absl flags
    settings = TrainingSettings(**SETTINGS | changes)
    hosts = {"host_index": jax.process_index(), "host_count": jax.process_count()}
    data = hosts | {"split": 1, "batch_size": settings.batch_size // jax.process_count()}

    def keep(network: SmallNetwork, name: str) -> None:
        if is_first_host():
            assert not (directory / f"{name}.npz").exists() or name == "best", "written once"
            with replaced_file(directory / f"{name}.npz") as partial, partial.open("wb") as file:
                np.savez(file, **read_network(network))

    network = SmallNetwork(rngs=nnx.Rngs(0))
    if per_device:
        network.set_attributes(BatchNorm, groups=(devices or DataParallel()).num_devices)
    stored = Shards(shards)
    num_frames = {film: stored.films[film].num_frames for film in stored.lists["train"]["1"]}
    with contextlib.closing(training_batches(shards, seed=0, pixels=not on_device, **data)) as batches:
        train(
            network,
            settings,
            TrainingData(
                SpoiledBatches(batches, spoiled),
                STEPS_PER_EPOCH,
                lambda: evaluation_batches(shards, subset="test", windows="validation", **data),
                films=[f"{film.database}/{film.name}" for film in stored.films],
                place_films=functools.partial(DeviceFilms, stored, num_frames) if on_device else None,
            ),
            directory,
            keep=keep,
            devices=devices,
            console=Console(quiet=True),
        )


@command
def run_host(shards: Path, directory: Path, changes: dict, devices: int, host: tuple[str, int, int] | None) -> None:
    """Trains on `devices` CPU devices. Call it in a process that has not used JAX's devices yet.

    Writes stderr to `log_of(directory, index)`. `host`: coordinator, number of hosts and index of this one, or None.
    `changes` may hold `watch`, settings of the watch, and `scores`, the seconds that the first host works on alone.
    """
    watch, scores = WatchSettings(**changes.pop("watch", {})), changes.pop("scores", 0.0)
    with open(log_of(directory, host[2] if host else 0), "a") as log:
        os.dup2(log.fileno(), sys.stderr.fileno())
    jax.config.update("jax_disable_most_optimizations", True)
    jax.config.update("jax_num_cpu_devices", devices)
    if host:
        connect(*host, watch.host_seconds)
    assert len(jax.devices()) == devices * jax.process_count()
    with Watch(directory, watch, jax.process_index(), jax.process_count()) as watching:
        with leaving_together():
            train_small(shards, directory, **changes)
        watching.forget_others()
        pulse.current.doing = "scoring"
        deadline = time.monotonic() + scores * is_first_host()
        while time.monotonic() < deadline:
            jax.block_until_ready(jax.jit(jnp.sin)(np.ones(3, np.float32)))


def log_of(directory: Path, host: int = 0) -> Path:
    return Path(f"{directory}.{host}.stderr")
