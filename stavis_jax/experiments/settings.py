"""Reads the sections of a configuration as checked settings. A wrong value raises UserError, which names its flag."""

import dataclasses
from collections.abc import Collection
from typing import get_args

import ml_collections

from data_pipelines.clips.augmentation import Augmentation
from data_pipelines.runtime.errors import UserError
from stavis_jax.maps.map_folders import MapFiles
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.ops.number_format import NUMBER_FORMATS
from stavis_jax.training.compute import Compute
from stavis_jax.training.losses import LossWeights
from stavis_jax.training.settings import CHOICES, TrainingSettings
from stavis_jax.watch.settings import WatchSettings


@dataclasses.dataclass(frozen=True)
class ScoringSettings:
    """Settings of --config.evaluation.

    Attributes:
      weights: "last" or "best", by validation loss.
      batch_size: clips per batch, over all devices of the host that scores. 0: 8 on a CPU, 32 per GPU or TPU.
      pictures: rows of the comparison picture.
      dtype: number format of the trunk; see `Compute`.
      maps: how the maps are stored; see `MapFiles`.
    """

    weights: str
    batch_size: int
    pictures: int
    dtype: str = "auto"
    maps: MapFiles = "png"

    def __post_init__(self):
        if self.maps not in get_args(MapFiles):
            raise UserError(f"--config.evaluation.maps={self.maps}: choose from {', '.join(get_args(MapFiles))}.")
        if self.weights not in ("last", "best"):
            raise UserError(f"--config.evaluation.weights={self.weights}: choose from last, best.")
        if self.batch_size < 0:
            raise UserError(f"--config.evaluation.batch_size={self.batch_size}: give 0 or more.")
        if self.dtype not in NUMBER_FORMATS:
            raise UserError(f"--config.evaluation.dtype={self.dtype}: choose from {', '.join(NUMBER_FORMATS)}.")


def check_settings(config: ml_collections.ConfigDict) -> None:
    """Checks the settings that need no data, so that errors appear before anything is made or trained."""
    network_config(config)
    augmentation(config)
    watch_settings(config)
    for section, settings in (("evaluation", ScoringSettings), ("compute", Compute)):
        _check_names(config[section], settings, f"--config.{section}")
        settings(**config[section])
    if config.data.workers < 0:
        raise UserError(f"--config.data.workers={config.data.workers}: give 0 or more.")
    if placement(config) not in ("host", "device"):
        raise UserError(f"--config.data.placement={placement(config)}: choose from host, device.")
    if config.get("on_nan", "stop") not in CHOICES["on_nan"]:
        raise UserError(f"--config.on_nan={config.on_nan}: choose from {', '.join(CHOICES['on_nan'])}.")


def placement(config: ml_collections.ConfigDict) -> str:
    """Returns where pixels wait: "host", also for recipes that are older than the setting, or "device"."""
    return config.data.get("placement", "host")


def augmentation(config: ml_collections.ConfigDict) -> Augmentation:
    """Returns how training clips are changed: not at all where a recipe does not say."""
    section = config.data.get("augmentation", ml_collections.ConfigDict())
    _check_names(section, Augmentation, "--config.data.augmentation")
    try:
        return Augmentation(**section)
    except UserError as error:
        raise UserError(f"--config.data.augmentation.{error}") from None


def watch_settings(config: ml_collections.ConfigDict) -> WatchSettings:
    """Returns how long a run waits: the defaults where a recipe does not say."""
    section = config.get("watch", ml_collections.ConfigDict())
    _check_names(section, WatchSettings, "--config.watch")
    return WatchSettings(**section)


def network_config(config: ml_collections.ConfigDict) -> NetworkConfig:
    try:
        return NetworkConfig(config.model.variant, config.model.depth, config.model.shortcut)
    except ValueError as error:
        raise UserError(f"--config.model: {error}.") from error


def training_settings(config: ml_collections.ConfigDict, stage: str) -> TrainingSettings:
    _check_names(config.stages[stage], TrainingSettings, f"--config.stages.{stage}")
    settings = {"on_nan": config.get("on_nan", "stop")} | config.stages[stage].to_dict()
    if "loss_weights" in settings:
        _check_names(settings["loss_weights"], LossWeights, f"--config.stages.{stage}.loss_weights")
        settings["loss_weights"] = LossWeights(**settings["loss_weights"])
    try:
        return TrainingSettings(**settings)
    except UserError as error:
        raise UserError(f"--config.stages.{stage}.{error}") from None


def _check_names(section: Collection[str], settings: type, flag: str) -> None:
    """Raises UserError if a recipe, which may be a user's own, has other settings than `settings`, or lacks some."""
    fields = {field.name: field for field in dataclasses.fields(settings)}
    for name in section:
        if name not in fields:
            raise UserError(f"{flag}.{name}: is not a setting. Remove it from the recipe.")
    for name, field in fields.items():
        if field.default is dataclasses.MISSING and name not in section:
            raise UserError(f"{flag}.{name}: is missing. Add it to the recipe.")
