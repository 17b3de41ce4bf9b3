"""The stages of a training, as data: which network, which settings, which start weights."""

import dataclasses
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import ml_collections
from flax import nnx
from rich.console import Console

from data_pipelines.runtime.errors import UserError
from stavis_jax.experiments.settings import network_config, training_settings
from stavis_jax.models import fusion
from stavis_jax.models.initialization import as_2d
from stavis_jax.models.stavis import NetworkConfig, Stavis
from stavis_jax.training.settings import TrainingSettings
from stavis_jax.weights.directory import Kind
from stavis_jax.weights.flat_names import Weights, expected_shapes, fill_network, new_network
from stavis_jax.weights.loading import load_weights
from stavis_jax.weights.named_checkpoints import locate

VISUAL_PARTS = ("trunk", "attention1", "attention2", "attention3", "attention4", "fuse")
SOUND_PARTS = ("soundnet", "hidden", "localization", "fuseav")

log = logging.getLogger("stavis_jax")


@dataclasses.dataclass(frozen=True)
class StartWeights:
    """Weights that parts of a network start from.

    Attributes:
      setting: "kinetics", "visual", "soundnet" or "audiovisual", as in --config.init.
      kind: the kind of checkpoint.
      parts: the parts of the network that they fill.
      path: None for random weights.
      from_earlier_stage: whether an earlier stage of the same training writes them.
      variant: the only variant that is accepted; None if every one is.
    """

    setting: str
    kind: Kind
    parts: tuple[str, ...]
    path: Path | None
    from_earlier_stage: bool = False
    variant: str | None = None

    def load(self) -> Weights:
        """Reads the arrays. Raises UserError if the file holds another kind of weights."""
        assert self.path, "random weights are not loaded"
        flag = f"--config.init.{self.setting}={self.path}"
        path = locate(self.path)
        # A file is asked what it is: it may be a visual network, which has untrained arrays for sound.
        weights, info = load_weights(path, None if path.is_file() else self.variant)
        if info.kind != self.kind:
            raise UserError(f"{flag}: holds {info.kind} weights. Give a {self.kind} checkpoint.")
        uses_sound = info.kind == "stavis" and fusion.VARIANTS[str(info.variant)].uses_sound
        if self.variant and not uses_sound:
            raise UserError(f"{flag}: holds a visual network. Give it as --config.init.visual.")
        if self.variant not in (None, info.variant):
            raise UserError(f"{flag}: holds {info.variant}. Set --config.model.variant={info.variant}.")
        if self.setting == "visual" and uses_sound:
            log.warning("%s: its sound part is not taken. --config.init.audiovisual takes the whole network.", flag)
        return {name: array for name, array in weights.items() if _part(name) in self.parts}


@dataclasses.dataclass(frozen=True)
class Stage:
    """One training.

    Attributes:
      name: "visual" or "audiovisual", as in --config.stages.
      starts_2d: whether the trunk's random kernels start as 2D ones.
    """

    name: str
    network: NetworkConfig
    settings: TrainingSettings
    starts: tuple[StartWeights, ...]
    starts_2d: bool = False

    def has_started(self, workdir: Path) -> bool:
        """Returns whether there is a checkpoint."""
        checkpoints = workdir / self.network.variant / "checkpoints"
        return checkpoints.is_dir() and any(path.name.isdigit() for path in checkpoints.iterdir())


def plan_stages(config: ml_collections.ConfigDict, workdir: Path) -> list[Stage]:
    """Returns the stages in order: visual, and audiovisual, if the variant uses sound.

    A visual network that is given takes the place of the first stage. Without the second, it is trained further.

    Raises:
      UserError: a setting is out of range, or contradicts another one.
    """
    network, init = network_config(config), config.init
    uses_sound = fusion.VARIANTS[network.variant].uses_sound
    whole = init.get("audiovisual", "")  # recipes that are older than the setting lack it
    if whole:
        _check_whole(init, network.variant)
        parts = VISUAL_PARTS + SOUND_PARTS
        start = StartWeights("audiovisual", "stavis", parts, Path(whole), variant=network.variant)
        return [Stage("audiovisual", network, training_settings(config, "audiovisual"), (start,))]
    stages = []
    if not (init.visual and uses_sound):
        start = StartWeights("kinetics", "kinetics", ("trunk",), _path(init.kinetics))
        if init.visual:
            start = StartWeights("visual", "stavis", VISUAL_PARTS, Path(init.visual))
        visual_network = dataclasses.replace(network, variant="visual")
        settings, starts_2d = training_settings(config, "visual"), config.model.get("starts_2d", False)
        stages.append(Stage("visual", visual_network, settings, (start,), starts_2d))
    if uses_sound:
        path = _path(init.visual) or workdir / "visual" / "last"
        visual = StartWeights("visual", "stavis", VISUAL_PARTS, path, from_earlier_stage=not init.visual)
        soundnet = StartWeights("soundnet", "soundnet", ("soundnet",), _path(init.soundnet))
        stages.append(Stage("audiovisual", network, training_settings(config, "audiovisual"), (visual, soundnet)))
    used = {start.setting for stage in stages for start in stage.starts}
    for setting, given in init.items():
        if given and setting not in used:
            raise UserError(f"--config.init.{setting}: no stage of this training starts from it. Leave it out.")
    return stages


def _check_whole(init: ml_collections.ConfigDict, variant: str) -> None:
    """Raises UserError if --config.init.audiovisual does not go with the other settings."""
    if not fusion.VARIANTS[variant].uses_sound:
        raise UserError(
            f"--config.init.audiovisual: {variant} has no sound part. Choose another --config.model.variant, such as "
            "l3mul-s3."
        )
    for setting, path in init.items():
        if path and setting != "audiovisual":
            raise UserError(
                f"--config.init.{setting}: --config.init.audiovisual gives these weights too. Leave one of them out."
            )


def load_start_weights(starts: Iterable[StartWeights]) -> dict[StartWeights, Weights]:
    """Reads the start weights that have a path, so that errors in them appear before training."""
    return {start: start.load() for start in starts if start.path}


def start_network(stage: Stage, loaded: Mapping[StartWeights, Weights], seed: int, console: Console) -> Stavis:
    """Returns a stage's network with its start weights. Parts without them get random values from the seed.

    Prints one line with all of these parts.

    Raises:
      UserError: the weights do not fit the network.
    """
    network = new_network(stage.network, seed)
    if stage.starts_2d:
        for kernel in (value for _, value in nnx.to_flat_state(nnx.state(network.trunk, nnx.Param)) if value.ndim == 5):
            kernel[...] = as_2d(kernel[...])
    filled: set[str] = set()
    for start in (start for start in stage.starts if start.path):
        weights = loaded[start] if start in loaded else start.load()
        try:
            unfilled = fill_network(network, weights)
        except ValueError as error:
            raise UserError(f"{start.path}: does not fit the network ({error}). Check --config.model.depth.") from error
        missing = [name for name in unfilled if _part(name) in start.parts]
        if missing:
            raise UserError(f"{start.path}: lacks {', '.join(missing[:5])}. Check --config.model.depth and shortcut.")
        filled.update(start.parts)
    if left := sorted({_part(name) for name in expected_shapes(stage.network)} - filled):
        absent = [f"--config.init.{start.setting}" for start in stage.starts if start.path is None]
        hint = f" ({', '.join(absent)} is not given)" if absent else ""
        console.print(f"{stage.name}: {', '.join(left)} start from random values{hint}.", highlight=False)
    return network


def _path(text: str) -> Path | None:
    return Path(text) if text else None


def _part(name: str) -> str:
    return name.split("/")[0]
