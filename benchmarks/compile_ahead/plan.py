"""The jobs: programs of the network to compile for a chip."""

import dataclasses
import fnmatch
from collections.abc import Sequence
from typing import Literal

from data_pipelines.runtime.errors import UserError

VISUAL, SOUND = "visual", "l3mul-s3"  # the variants that the two stages of training train


@dataclasses.dataclass(frozen=True)
class Job:
    """Describes a program of the network to compile.

    Attributes:
      program: "score" computes the logits of a batch, "train" is a training step, "dense" predicts the next clips of a
        film.
      variant: name of the system.
      dtype: number format of the trunk.
      clips: number of clips on each chip.
      chips: number of chips that share the batch.
      batch_norm, rematerialize: see stavis_jax.training.compute.Compute.
      accumulate: batches per update.
      depth, size: depth of the trunk; height and width of the clips, pixels.
    """

    program: Literal["score", "train", "dense"]
    variant: str
    dtype: str
    clips: int
    chips: int = 1
    batch_norm: str = "global"
    rematerialize: bool = False
    accumulate: int = 1
    depth: int = 50
    size: int = 112

    @property
    def name(self) -> str:
        parts = [self.program, self.variant, self.dtype, str(self.clips)]
        parts += [f"x{self.chips}"] if self.chips > 1 else []
        parts += [self.batch_norm] if self.batch_norm != "global" else []
        parts += ["rematerialized"] if self.rematerialize else []
        parts += [f"accumulated-{self.accumulate}"] if self.accumulate > 1 else []
        return "-".join(parts)

    @property
    def words(self) -> str:
        """Returns a description for a table."""
        kind = {"score": "scoring", "train": "training step", "dense": "dense prediction"}[self.program]
        parts = [kind, f"`{self.variant}`", self.dtype, f"batch {self.clips}"]
        parts += [f"{self.chips} chips, {self.batch_norm} BatchNorm"] if self.chips > 1 else []
        parts += ["rematerialised"] if self.rematerialize else []
        parts += [f"{self.accumulate} batches an update"] if self.accumulate > 1 else []
        return ", ".join(parts)


def all_jobs() -> list[Job]:
    """Returns every job, the most telling first, since a complete run for a TPU takes hours."""
    half, full = "bfloat16", "float32"
    train = [
        Job("train", variant, half, clips, **options)
        for clips, options in (
            (32, {}),
            (128, {}),
            (32, {"chips": 8}),
            (32, {"chips": 8, "batch_norm": "per-device"}),
            (128, {"rematerialize": True}),
            (32, {"accumulate": 4}),
            (128, {"chips": 8}),
            (128, {"chips": 8, "batch_norm": "per-device"}),
            (32, {"rematerialize": True}),
        )
        for variant in (VISUAL, SOUND)
    ]
    score = [
        Job("score", variant, dtype, clips)
        for clips, dtype in (
            (32, half),
            (8, full),
            (128, half),
            (8, half),
            (1, half),
            (1, full),
            (32, full),
            (128, full),
        )
        for variant in (VISUAL, SOUND)
    ]
    dense = [Job("dense", SOUND, dtype, clips) for dtype, clips in ((full, 8), (half, 32))]
    return [
        *train[:1],
        *score[:4],
        dense[0],
        *train[1:4],
        *score[4:8],
        dense[1],
        *train[4:12],
        *score[8:],
        *train[12:],
    ]


SMALL = ("train-visual-bfloat16-32", "score-l3mul-s3-bfloat16-32", "dense-l3mul-s3-float32-8")


def chosen(patterns: Sequence[str]) -> list[Job]:
    """Returns the jobs whose names match one of the patterns, such as `train-*-32`.

    Raises:
      UserError: no job matches a pattern.
    """
    jobs = all_jobs()
    for pattern in patterns:
        if not fnmatch.filter([job.name for job in jobs], pattern):
            raise UserError(
                f"--jobs {pattern}: no job has this name. --list shows all names; * stands for any letters."
            )
    return [job for job in jobs if any(fnmatch.fnmatchcase(job.name, pattern) for pattern in patterns)]
