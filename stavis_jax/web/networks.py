"""The networks a page offers: checkpoints, and the variants that each can run."""

import functools
from collections.abc import Sequence
from pathlib import Path

import stavis_jax
from data_pipelines.runtime.errors import UserError
from stavis_jax.models import fusion
from stavis_jax.prediction.model import SaliencyModel
from stavis_jax.weights.directory import read_info
from stavis_jax.weights.loading import VISUAL, find_directory

MOST_IN_MEMORY = 4


class Networks:
    """Checkpoints by name. They are read at once, so that a wrong one shows before the page opens.

    Attributes:
      variants: name of a checkpoint -> the variants it can run, its own first.

    Raises:
      UserError: a checkpoint cannot predict.
    """

    def __init__(self, checkpoints: Sequence[Path]):
        names = [path.resolve().name for path in checkpoints]
        unique = len(set(names)) == len(names)
        self._paths = dict(zip(names if unique else map(str, checkpoints), checkpoints, strict=True))
        self._loaded = functools.lru_cache(MOST_IN_MEMORY)(stavis_jax.load)
        self.variants = {name: self._variants_in(path) for name, path in self._paths.items()}

    def load(self, checkpoint: str, variant: str) -> SaliencyModel:
        """The network, from memory if it was used lately. Raises UserError if there is none of these names."""
        if variant not in self.variants.get(checkpoint, ()):
            raise UserError(f"{checkpoint}, {variant}: not on offer here. Choose from the lists.")
        return self._loaded(self._paths[checkpoint], variant)

    def _variants_in(self, checkpoint: Path) -> list[str]:
        own = stavis_jax.load(checkpoint).variant
        return [own, *(name for name in fusion.VARIANTS if name != own and _holds(checkpoint, name))]


def describe(variant: str) -> str:
    """What a variant goes by, for those who do not know its name."""
    if variant == VISUAL:
        return f"{variant}: picture alone"
    return f"{variant}: " + ("sound alone" if variant.endswith("audio-only") else "picture and sound")


def _holds(checkpoint: Path, variant: str) -> bool:
    """A working directory holds what was trained in it; anything else, besides its own system, the visual one."""
    if checkpoint.is_file():
        return variant == VISUAL
    try:
        found = find_directory(checkpoint, variant)
    except UserError:
        return False
    return variant in (VISUAL, read_info(found).variant)
