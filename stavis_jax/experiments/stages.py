"""The stages of a training, as data: which network, which settings, which start weights."""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path

import ml_collections
from rich.console import Console

from data_pipelines.runtime.errors import UserError
from stavis_jax.experiments.settings import network_config, training_settings
from stavis_jax.models import fusion
from stavis_jax.models.stavis import NetworkConfig, Stavis
from stavis_jax.training.settings import TrainingSettings
from stavis_jax.weights.directory import Kind
from stavis_jax.weights.flat_names import Weights, fill_network, new_network
from stavis_jax.weights.loading import load_weights

VISUAL_PARTS = ("trunk", "attention1", "attention2", "attention3", "attention4", "fuse")


@dataclasses.dataclass(frozen=True)
class StartWeights:
    """Weights that parts of a network start from.

    Attributes:
      setting: "kinetics", "visual" or "soundnet", as in --config.init.
      kind: the kind of checkpoint.
      parts: the parts of the network that they fill.
      path: None for random weights.
      from_earlier_stage: whether an earlier stage of the same training writes them.
    """

    setting: str
    kind: Kind
    parts: tuple[str, ...]
    path: Path | None
    from_earlier_stage: bool = False

    def load(self) -> Weights:
        """Reads the arrays. Raises UserError if the file holds another kind of weights."""
        assert self.path, "random weights are not loaded"
        weights, info = load_weights(self.path)
        if info.kind != self.kind:
            raise UserError(
                f"--config.init.{self.setting}={self.path}: holds {info.kind} weights. Give a {self.kind} checkpoint."
            )
        return {name: array for name, array in weights.items() if _part(name) in self.parts}


@dataclasses.dataclass(frozen=True)
class Stage:
    """One training.

    Attributes:
      name: "visual" or "audiovisual", as in --config.stages.
    """

    name: str
    network: NetworkConfig
    settings: TrainingSettings
    starts: tuple[StartWeights, ...]

    def has_started(self, workdir: Path) -> bool:
        """Returns whether there is a checkpoint."""
        checkpoints = workdir / self.network.variant / "checkpoints"
        return checkpoints.is_dir() and any(path.name.isdigit() for path in checkpoints.iterdir())


def plan_stages(config: ml_collections.ConfigDict, workdir: Path) -> list[Stage]:
    """Returns the stages in order: visual, unless such a network is given, and audiovisual, if the variant uses sound.

    Raises:
      UserError: a setting is out of range, or leaves nothing to train.
    """
    network, init = network_config(config), config.init
    uses_sound = fusion.VARIANTS[network.variant].uses_sound
    if init.visual and not uses_sound:
        raise UserError("--config.init.visual: the visual network is trained already. Leave this out.")
    stages = []
    if not init.visual:
        kinetics = StartWeights("kinetics", "kinetics", ("trunk",), _path(init.kinetics))
        visual_network = dataclasses.replace(network, variant="visual")
        stages.append(Stage("visual", visual_network, training_settings(config, "visual"), (kinetics,)))
    if uses_sound:
        path = _path(init.visual) or workdir / "visual" / "last"
        visual = StartWeights("visual", "stavis", VISUAL_PARTS, path, from_earlier_stage=not init.visual)
        soundnet = StartWeights("soundnet", "soundnet", ("soundnet",), _path(init.soundnet))
        stages.append(Stage("audiovisual", network, training_settings(config, "audiovisual"), (visual, soundnet)))
    return stages


def load_start_weights(starts: Iterable[StartWeights]) -> dict[StartWeights, Weights]:
    """Reads the start weights that have a path, so that errors in them appear before training."""
    return {start: start.load() for start in starts if start.path}


def start_network(stage: Stage, loaded: Mapping[StartWeights, Weights], seed: int, console: Console) -> Stavis:
    """Returns a stage's network with its start weights. Parts without them get random values from the seed.

    Raises:
      UserError: the weights do not fit the network.
    """
    network = new_network(stage.network, seed)
    for start in stage.starts:
        if start.path is None:
            flag = f"--config.init.{start.setting}"
            console.print(f"{start.parts[0]}: starts from random values, since {flag} is not given.", highlight=False)
            continue
        weights = loaded[start] if start in loaded else start.load()
        try:
            unfilled = fill_network(network, weights)
        except ValueError as error:
            raise UserError(f"{start.path}: does not fit the network ({error}). Check --config.model.depth.") from error
        missing = [name for name in unfilled if _part(name) in {_part(name) for name in weights}]
        if missing:
            raise UserError(f"{start.path}: lacks {', '.join(missing[:5])}. Check --config.model.depth and shortcut.")
    return network


def _path(text: str) -> Path | None:
    return Path(text) if text else None


def _part(name: str) -> str:
    return name.split("/")[0]
