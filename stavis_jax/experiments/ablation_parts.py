"""The parts of an ablation. A part is one training and its scores, in a working directory of its own."""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import ml_collections

from data_pipelines.runtime import json_files
from data_pipelines.runtime.errors import UserError
from stavis_jax.models import fusion

VISUAL = "visual"
SPLITS = (1, 2, 3)
SCORED = "scored.json"  # written last: which weights are scored, and the system's cost


@dataclasses.dataclass(frozen=True)
class Part:
    """The training of one system on one split."""

    split: int
    variant: str

    @property
    def name(self) -> str:
        return f"split{self.split}/{self.variant}"

    @property
    def is_visual(self) -> bool:
        return self.variant == VISUAL

    @property
    def start(self) -> "Part":
        """The part whose weights this part starts from. A visual part starts from no other part and returns itself."""
        return Part(self.split, VISUAL)

    def folder(self, workdir: Path) -> Path:
        return workdir / f"split{self.split}" / self.variant

    def weights(self, workdir: Path, which: str = "last") -> Path:
        return self.folder(workdir) / self.variant / which

    def is_trained(self, workdir: Path) -> bool:
        return self.weights(workdir).is_dir()

    def is_scored(self, workdir: Path, which: str | None = None) -> bool:
        """Returns whether the part is scored with these weights, or with any weights if `which` is None."""
        is_scored = (self.folder(workdir) / SCORED).is_file()
        return is_scored and which in (None, self.score_record(workdir).get("weights"))

    def score_record(self, workdir: Path) -> dict:
        """Returns the record of the part's scoring."""
        return json_files.read_object(self.folder(workdir) / SCORED, "Remove it and score again.")

    def config(self, config: ml_collections.ConfigDict, workdir: Path) -> ml_collections.ConfigDict:
        """Returns the configuration of the part's training. It omits the other stage's settings: they may change."""
        config = config.copy_and_resolve_references()
        with config.unlocked():
            del config.ablation
            config.model.variant, config.data.split, config.init.visual = self.variant, self.split, ""
            if self.is_visual:
                del config.stages.audiovisual
                config.init.soundnet = ""
            else:
                del config.stages.visual
                config.init.update({"visual": str(self.start.weights(workdir)), "kinetics": ""})
        return config.lock()


def plan(variants: str | Iterable[str], splits: str | Iterable[str]) -> list[Part]:
    """Returns the parts of an ablation, each after the part it starts from.

    Args:
      variants, splits: separated by commas or spaces. `visual` is always a part.

    Raises:
      UserError: a variant or split is unknown, or none is given.
    """
    names = _choices("--variants", variants, tuple(fusion.VARIANTS))
    numbers = _choices("--splits", splits, tuple(map(str, SPLITS)))
    return [Part(int(number), name) for number in numbers for name in dict.fromkeys((VISUAL, *names))]


def chosen(parts: Sequence[Part], only: str) -> list[Part]:
    """Returns the parts that --only asks for: those of a variant, or share I/N of the parts with sound.

    Raises:
      UserError: `only` is neither, or no part has that variant.
    """
    if share := re.fullmatch(r"(\d+)/(\d+)", only):
        index, count = map(int, share.groups())
        if not 1 <= index <= count:
            raise UserError(f"--only={only}: give I/N with I from 1 to N.")
        return [part for part in parts if not part.is_visual][index - 1 :: count]
    names = dict.fromkeys(part.variant for part in parts)
    if only not in names:
        raise UserError(f"--only={only}: neither I/N nor one of {', '.join(names)}.")
    return [part for part in parts if part.variant == only]


def _choices(flag: str, given: str | Iterable[str], known: Sequence[str]) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    names = dict.fromkeys(name for text in texts for name in re.findall(r"[^,\s]+", text))
    if not names:
        raise UserError(f"{flag}: is empty. Leave it out to get all.")
    if unknown := [name for name in names if name not in known]:
        raise UserError(f"{flag}: {unknown[0]!r} is not one of {', '.join(known)}.")
    return list(names)
