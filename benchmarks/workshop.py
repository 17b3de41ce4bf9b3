"""How much is measured, and what measurements share: a folder with weights, a film, compiled functions."""

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import report, targets
from benchmarks.films import FilmFile, make_film_file
from benchmarks.input_pipeline import FRAME_SIZES
from benchmarks.machine import KEEP_BIG_BUFFERS
from benchmarks.paired import TUNED_MALLOC, Contestant


class Malloc(NamedTuple):
    """Environments of both sides."""

    theirs: Mapping[str, str]
    ours: Mapping[str, str]


MALLOCS = {
    "plain": Malloc({}, {}),
    "as commands": Malloc({}, {KEEP_BIG_BUFFERS: "1"}),
    "tuned malloc": Malloc(TUNED_MALLOC, TUNED_MALLOC),
}


@dataclasses.dataclass(frozen=True)
class Plan:
    """How much is measured. rounds: pairs of times; window_seconds: a time is the mean of calls that fill that long."""

    depth: int = 50
    size: int = 112  # of clips, pixels
    rounds: int = 7
    window_seconds: float = 0.5
    forward_batches: tuple[int, ...] = (1, 4, 16)
    training_batch: int = 4
    mallocs: tuple[str, ...] = tuple(MALLOCS)
    film_frames: int = 64
    film_size: tuple[int, int] = (640, 480)
    loader_sizes: tuple[tuple[int, int], ...] = FRAME_SIZES
    loader_seconds: float = 2.0
    matmul_size: int = 2048
    film_lengths: tuple[int, ...] = (50, 100, 200)
    batches: tuple[int, ...] = (1, 2, 4, 8, 16)
    device_counts: tuple[int, ...] = (1, 2, 4, 8)
    split_batch: int = 8  # of the training step that is split over devices
    small_depth: int = 10  # of the smaller of the two networks whose cost is followed
    small_size: int = 64


QUICK = Plan(
    depth=10,
    size=32,
    rounds=1,
    window_seconds=0.05,
    forward_batches=(1, 2),
    training_batch=2,
    film_frames=16,
    film_size=(160, 120),
    loader_sizes=((160, 120),),
    loader_seconds=0.1,
    matmul_size=256,
    film_lengths=(8, 16),
    batches=(1, 2),
    device_counts=(1, 2),
    split_batch=2,
    small_size=32,
)


class Workshop:
    """Starts contestants on what they share. `folder` is new and is the caller's to remove.

    Attributes:
      load: of the machine, before anything was measured.
    """

    def __init__(self, plan: Plan, folder: Path):
        self.plan, self.folder, self.load = plan, folder, report.load()

    def machine(self, *packages: str) -> str:
        """What it was measured on."""
        return report.machine(*packages, load=self.load)

    def goal(self, name: str, value: float) -> list[str]:
        """Cells of a table under targets.HEAD; the targets are for CPUs."""
        return targets.columns(name if self.device["platform"] == "cpu" else "", value)

    def start(
        self,
        job: str,
        *,
        environment: Mapping[str, str] | None = None,
        network: tuple[int, int] | None = None,
        **arguments: Any,
    ) -> Contestant:
        """A contestant, "module:function", with the weights of a (depth, size), the plan's by default."""
        depth, size = network or (self.plan.depth, self.plan.size)
        shared = {
            "JAX_COMPILATION_CACHE_DIR": str(self.folder / "compiled"),
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # two processes share a GPU
        }
        job_arguments = {"weights": str(self.weights(depth, size)), "size": size} | arguments
        return Contestant(f"benchmarks.{job}", job_arguments, shared | dict(environment or {}))

    @functools.cache  # noqa: B019, one workshop a process
    def weights(self, depth: int, size: int) -> Path:
        """The folder with both sides' weights."""
        folder = self.folder / f"weights-{depth}-{size}"
        with Contestant("benchmarks.checkpoints:make", {"folder": str(folder), "depth": depth, "size": size}):
            return folder

    @functools.cached_property
    def film(self) -> FilmFile:
        return make_film_file(self.folder / "film", self.plan.film_frames, self.plan.film_size)

    @functools.cached_property
    def their_device(self) -> dict[str, str]:
        """PyTorch's: platform and kind."""
        with Contestant("benchmarks.torch_jobs:idle", {}) as contestant:
            return contestant.device

    @functools.cached_property
    def device(self) -> dict[str, str]:
        """Ours: platform and kind."""
        with Contestant("benchmarks.jax_jobs:idle", {}) as contestant:
            return contestant.device

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Of activations: bfloat16 too where there is hardware for it."""
        return ("float32",) if self.device["platform"] == "cpu" else ("float32", "bfloat16")
