"""Starts the workers of one run with what they share: weights, a film, compiled functions. Lays out their sections."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import report, targets
from benchmarks.paired_timing import Pairs, Worker, alternate, disturbance
from benchmarks.plan import MALLOCS, Plan
from data_pipelines.runtime.errors import UserError

if TYPE_CHECKING:
    from benchmarks.films import FilmFile

# Both sides run on the CPU, whatever else the machine has.
ON_CPU = {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
AGREEMENT = 1e-2  # of the largest value; rounding causes 1e-5, so only another network differs by more


@dataclasses.dataclass(frozen=True)
class SpeedRow:
    """A row of a table of speeds. Each call of `pairs` handles `clips` clips or maps."""

    name: str
    pairs: Pairs
    clips: int


class Session:
    """One run of benchmarks. Files go into the new folder `folder`, which the caller removes.

    A job is a module of benchmarks/jobs. Its functions `theirs` and `ours` return what each side runs.
    """

    def __init__(self, plan: Plan, folder: Path, picture: Path | None = None):
        """picture: where the job `growth` writes its curves, if anywhere."""
        self.plan, self.folder, self.picture = plan, folder, picture
        self._load = report.load()  # before anything is measured

    def start(
        self,
        function: str,
        *,
        environment: Mapping[str, str] | None = None,
        network: tuple[int, int] | None = None,
        **arguments: Any,
    ) -> Worker:
        """Starts "job:theirs" or "job:ours" with the weights of a (depth, size), by default the plan's."""
        depth, size = network or (self.plan.depth, self.plan.size)
        shared = ON_CPU | {"JAX_COMPILATION_CACHE_DIR": str(self.folder / "compiled")}
        job_arguments = {"weights": str(self.weights(depth, size)), "size": size} | arguments
        return Worker(f"benchmarks.jobs.{function}", job_arguments, shared | dict(environment or {}))

    def compare(
        self,
        job: str,
        malloc: str = "plain",
        *,
        window_seconds: float | None = None,
        **arguments: Any,
    ) -> Pairs:
        """Times both sides of a job in turn. window_seconds: what each time fills, by default the plan's."""
        environments = MALLOCS[malloc]
        with (
            self.start(f"{job}:theirs", environment=environments.theirs, **arguments) as theirs,
            self.start(f"{job}:ours", environment=environments.ours, **arguments) as ours,
        ):
            return alternate(
                theirs, ours, self.plan.rounds, self.plan.window_seconds if window_seconds is None else window_seconds
            )

    def speed(self, name: str, job: str, clips: int, malloc: str, **arguments: Any) -> SpeedRow:
        """Compares both sides of a job whose calls handle `clips` clips.

        Raises:
            UserError: the results differ by more than rounding.
        """
        pairs = self.compare(job, malloc, **arguments)
        if not pairs.difference <= AGREEMENT:
            raise UserError(f"{name}: results differ by {pairs.difference:.2g} of the largest. Check the weights.")
        return SpeedRow(f"{name}, {malloc}", pairs, clips)

    def speed_section(self, title: str, text: str, rows: Sequence[SpeedRow]) -> dict[str, str]:
        """Returns a section with a table of milliseconds a clip, ratios and goals."""
        head = ["", "PyTorch, ms", "ours, ms", "ratio", *targets.HEAD]
        cells = [
            [row.name, *report.milliseconds(row.pairs, row.clips), *targets.columns(row.name, row.pairs.ratio)]
            for row in rows
        ]
        text = f"{text} Depth {self.plan.depth}, clips of 16x{self.plan.size}x{self.plan.size}."
        return self.section(title, text, report.table(head, cells), pairs=[row.pairs for row in rows])

    def section(self, title: str, *parts: str, pairs: Sequence[Pairs] = ()) -> dict[str, str]:
        """Returns title -> text: the parts, then the machine, and a warning if other programs disturbed `pairs`."""
        machine = report.machine("jax", "torch", "numpy", load=self._load)
        foot = f"`python -m benchmarks.run`, {self.plan.rounds} rounds. {machine}.{disturbance(pairs)}"
        return {title: "\n\n".join([*(part for part in parts if part), foot])}

    @functools.cache  # noqa: B019, one session a process
    def weights(self, depth: int, size: int) -> Path:
        """Returns the folder with the weights of both sides."""
        folder = self.folder / f"weights-{depth}-{size}"
        with Worker("benchmarks.torch_side:write_weights", {"folder": str(folder), "depth": depth, "size": size}):
            return folder

    @functools.cached_property
    def film(self) -> "FilmFile":
        from benchmarks.films import make_film_file  # imports JAX, which PyTorch's workers must not

        return make_film_file(self.folder / "film", self.plan.film_frames, self.plan.film_size)
