"""The networks that the page offers: checkpoints, and the variants that each can run."""

import functools
from collections.abc import Sequence
from pathlib import Path

from data_pipelines.runtime.errors import UserError
from stavis_jax.models import fusion
from stavis_jax.prediction.model import StavisModel, load
from stavis_jax.weights.directory import read_info
from stavis_jax.weights.loading import find_directory
from stavis_jax.weights.pytorch_weights import VISUAL

MAX_IN_MEMORY = 4


class Networks:
    """Checkpoints by name. All are read when the object is created, so that a wrong one is reported at once.

    `dtype`: the number format in which the networks compute; see `load`.

    Attributes:
      variants: the variants that each checkpoint can run, by the checkpoint's name; its own variant is first.

    Raises:
      UserError: a checkpoint cannot predict.
    """

    def __init__(self, checkpoints: Sequence[Path], dtype: str = "auto"):
        names = [path.resolve().name for path in checkpoints]
        are_unique = len(set(names)) == len(names)
        self._paths = dict(zip(names if are_unique else map(str, checkpoints), checkpoints, strict=True))
        self._load = functools.lru_cache(MAX_IN_MEMORY)(functools.partial(load, dtype=dtype))
        self.variants = {name: _variants_in(path) for name, path in self._paths.items()}

    def load(self, checkpoint: str, variant: str) -> StavisModel:
        """Returns a network, from memory if it was used recently.

        Raises:
          UserError: the page does not offer it.
        """
        if variant not in self.variants.get(checkpoint, ()):
            raise UserError(f"{checkpoint}, {variant}: is not offered. Choose from the lists.")
        return self._load(self._paths[checkpoint], variant)


def describe(variant: str) -> str:
    """Returns a variant with what it predicts from."""
    if variant == VISUAL:
        return f"{variant}: picture alone"
    return f"{variant}: " + ("sound alone" if variant.endswith("audio-only") else "picture and sound")


def _variants_in(checkpoint: Path) -> list[str]:
    own = load(checkpoint).variant
    return [own, *(name for name in fusion.VARIANTS if name != own and _holds(checkpoint, name))]


def _holds(checkpoint: Path, variant: str) -> bool:
    """Returns whether a checkpoint can run a variant other than its own.

    A working directory can run the variants that were trained in it. Any other checkpoint can run the visual one.
    """
    if checkpoint.is_file():
        return variant == VISUAL
    try:
        found = find_directory(checkpoint, variant)
    except UserError:
        return False
    return variant in (VISUAL, read_info(found).variant)
