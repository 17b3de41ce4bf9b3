"""Trains the stages of a configuration, one after the other, into WORKDIR/<variant>/."""

import contextlib
import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import jax
import ml_collections
from rich.console import Console

from data_pipelines.clips.batch_reader import BatchReader
from data_pipelines.clips.batches import clips_per_epoch, evaluation_batches, training_batches
from data_pipelines.clips.source import open_clips
from data_pipelines.runtime.errors import out_of_memory_as_user_error
from data_pipelines.shards.reader import Shards
from stavis_jax.experiments.data import ExperimentData
from stavis_jax.experiments.settings import augmentation, placement
from stavis_jax.experiments.stages import Stage, StartWeights, load_start_weights, plan_stages, start_network
from stavis_jax.experiments.workdir import check_same_settings, write_settings
from stavis_jax.models import fusion
from stavis_jax.models.stavis import Stavis
from stavis_jax.training.batches.device_films import DeviceFilms
from stavis_jax.training.compute import Compute
from stavis_jax.training.devices import DataParallel, is_first_host, wait_for_all_hosts
from stavis_jax.training.loop import TrainingData, train
from stavis_jax.weights.directory import WeightsInfo, save_weights
from stavis_jax.weights.flat_names import Weights, read_network


def train_stages(
    config: ml_collections.ConfigDict,
    data: ExperimentData,
    workdir: Path,
    console: Console,
    loaded: Mapping[StartWeights, Weights] | None = None,
) -> None:
    """Trains the visual network, unless one is given, and the audio-visual network from it.

    Each stage leaves WORKDIR/<variant>/last and best. An interrupted stage continues from its last checkpoint.

    Args:
      loaded: start weights that are in memory already.

    Raises:
      UserError: a setting is wrong, start weights do not fit, or WORKDIR holds a training with other settings.
    """
    stages = plan_stages(config, workdir)
    check_same_settings(config, workdir, {stage.name: stage.has_started(workdir) for stage in stages})
    check_batch_sizes(config, stages)
    if loaded is None:
        starts = [start for stage in stages for start in stage.starts]
        loaded = load_start_weights(start for start in starts if not start.from_earlier_stage)
    if is_first_host():
        write_settings(config, workdir)
    for stage in stages:
        train_stage(stage, start_network(stage, loaded, config.seed, console), config, data, workdir, console)


def check_batch_sizes(config: ml_collections.ConfigDict, stages: Iterable[Stage]) -> None:
    """Raises UserError if the batches of a stage do not split evenly over the devices."""
    for stage in stages:
        setting = f"config.stages.{stage.name}.batch_size"
        _devices(config, stage).check_batch_size(stage.settings.batch_size, setting)


def train_stage(
    stage: Stage,
    network: Stavis,
    config: ml_collections.ConfigDict,
    data: ExperimentData,
    workdir: Path,
    console: Console,
) -> None:
    """Trains one stage, starting from `network`.

    Raises:
      UserError: a batch does not fit into memory; or as `training.loop.train`.
    """
    directory, settings, devices = workdir / stage.network.variant, stage.settings, _devices(config, stage)
    if devices.num_devices < jax.device_count():
        console.print(
            f"A batch of {settings.batch_size} clips uses {devices.num_devices} of {jax.device_count()} devices.",
            highlight=False,
        )
    Compute(**config.compute).configure(network, devices.num_devices)

    def keep(trained: Stavis, name: str) -> None:
        if is_first_host():
            size = Shards(data.shards).size
            info = WeightsInfo.of_network(trained.config, size=size, source=f"training in {workdir.name}")
            save_weights(directory / name, read_network(trained), info, overwrite=True)
        wait_for_all_hosts(f"{stage.network.variant} {name}")

    reading = _training_data(stage, config, data)
    flag = f"--config.stages.{stage.name}.batch_size={settings.batch_size}"
    advice = "Give a smaller one: gradients are still accumulated up to effective_batch."
    if reading.place_films:
        advice += " --config.data.placement=host leaves it the memory of the films."
    with contextlib.closing(cast(BatchReader, reading.batches)), out_of_memory_as_user_error(flag, advice):
        train(
            network,
            settings,
            reading,
            directory,
            keep=keep,
            devices=devices,
            tensorboard=config.tensorboard,
            console=console,
        )


def _training_data(stage: Stage, config: ml_collections.ConfigDict, data: ExperimentData) -> TrainingData:
    """Returns this host's share of the batches."""
    listed: dict[str, Any] = {"split": data.split, "databases": data.databases}
    hosts = {"host_index": jax.process_index(), "host_count": jax.process_count()}
    sound = fusion.VARIANTS[stage.network.variant].uses_sound
    share = listed | hosts | {"batch_size": stage.settings.batch_size // jax.process_count(), "sound": sound}
    on_device = placement(config) == "device"
    reading: dict[str, Any] = {"seed": config.seed, "num_workers": config.data.workers, "pixels": not on_device}
    reading |= {"augmentation": augmentation(config)}
    return TrainingData(
        training_batches(data.shards, **reading, **share),
        max(clips_per_epoch(data.shards, **listed) // stage.settings.batch_size, 1),
        lambda: evaluation_batches(data.shards, subset="test", windows="validation", **share),
        films=[f"{film.database}/{film.name}" for film in Shards(data.shards).films],
        digest=data.digest(),
        place_films=functools.partial(_place_films, data) if on_device else None,
    )


def _place_films(data: ExperimentData, devices: DataParallel) -> DeviceFilms:
    """Puts the training films of the split on devices."""
    clips = open_clips(data.shards, "train", data.split, "train", data.databases)
    used = dict.fromkeys(map(clips.film_index, range(len(clips))))
    return DeviceFilms(clips.shards, {film: clips.films[film].num_frames for film in used}, devices)


def _devices(config: ml_collections.ConfigDict, stage: Stage) -> DataParallel:
    """Returns all devices. The demo's small batches use only as many devices as they split over evenly."""
    if config.preset == "demo" and jax.process_count() == 1:
        return DataParallel.for_batch(stage.settings.batch_size)
    return DataParallel()
