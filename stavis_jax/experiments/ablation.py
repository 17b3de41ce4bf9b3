"""Many systems trained alike: of each split the visual network, from it every system with sound; and their table.

Each training is a part with a working directory of its own, WORKDIR/split<n>/<variant>. A part that is done stays as it
is, one that was cut goes on, so parts may be done one after another or by as many machines as there are.
"""

import dataclasses
import json
import re
from collections.abc import Sequence
from pathlib import Path

import jax
import ml_collections
from rich.console import Console

from data_pipelines.runtime import json_files
from data_pipelines.runtime.atomic import locked_folder, write_text
from data_pipelines.runtime.errors import UserError, out_of_memory_as_user_error
from stavis_jax.experiments import cost
from stavis_jax.experiments.ablation_tables import System, print_ablation, write_ablation
from stavis_jax.experiments.job import Data, Job, find_data
from stavis_jax.experiments.workdir import check_same_settings, versions
from stavis_jax.models import fusion
from stavis_jax.prediction.model import SaliencyModel
from stavis_jax.reports.report import Report, write_report
from stavis_jax.reports.results_reader import read_frame_scores
from stavis_jax.scoring.aggregation import VideoScores, aggregate, film_scores
from stavis_jax.scoring.baselines import CENTRE_BIAS
from stavis_jax.scoring.comparison import compare
from stavis_jax.weights.directory import read_weights

VISUAL = "visual"
SPLITS = (1, 2, 3)
MAIN = "l3mul-s3"  # the paper's proposal
SCORED = "scored.json"  # written last: which weights are scored, and the system's cost


@dataclasses.dataclass(frozen=True)
class Part:
    """One training and its scores."""

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
        """What it is trained from; itself for the first."""
        return Part(self.split, VISUAL)

    def folder(self, workdir: Path) -> Path:
        return workdir / f"split{self.split}" / self.variant

    def weights(self, workdir: Path, which: str = "last") -> Path:
        return self.folder(workdir) / self.variant / which

    def is_trained(self, workdir: Path) -> bool:
        return self.weights(workdir).is_dir()

    def is_scored(self, workdir: Path, which: str | None = None) -> bool:
        """Whether with these weights; None: with any."""
        path = self.folder(workdir) / SCORED
        return path.is_file() and which in (None, _read_mark(path).get("weights"))


def plan(variants: str, splits: str) -> list[Part]:
    """The parts of an ablation in the order in which they can be done.

    Args:
      variants, splits: with commas between. `visual` is a part whether named or not.

    Raises:
      UserError: a name or number that is not on the list; the message gives the list.
    """
    names = _listed(variants)
    for name in names:
        if name not in fusion.VARIANTS:
            raise UserError(f"--variants: {name!r} is not one of {', '.join(fusion.VARIANTS)}.")
    numbers = _listed(splits)
    for number in numbers:
        if number not in map(str, SPLITS):
            raise UserError(f"--splits: {number!r} is not one of {', '.join(map(str, SPLITS))}.")
    if not names or not numbers:
        raise UserError(f"--{'splits' if names else 'variants'}: names none. Leave it out to get all.")
    return [Part(int(number), name) for number in numbers for name in dict.fromkeys((VISUAL, *names))]


def chosen(parts: Sequence[Part], only: str) -> list[Part]:
    """What --only asks for: a variant's parts, or a share I/N of the parts with sound (visual comes before them).

    Raises:
      UserError: neither; or a variant that is not among the parts.
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


def job_config(config: ml_collections.ConfigDict, part: Part) -> ml_collections.ConfigDict:
    """The settings of a job that does a part all by itself, from no visual network."""
    settings = config.copy_and_resolve_references()
    settings.unlock()
    del settings.ablation
    settings.model.variant, settings.data.split, settings.init.visual = part.variant, part.split, ""
    settings.lock()
    return settings


def part_config(config: ml_collections.ConfigDict, part: Part, workdir: Path) -> ml_collections.ConfigDict:
    """The settings of a part's job: without those of the other stage, which may change without harm to it."""
    settings = job_config(config, part)
    settings.unlock()
    if part.is_visual:
        del settings.stages.audiovisual
        settings.init.soundnet = ""
    else:
        del settings.stages.visual
        settings.init.update({"visual": str(part.start.weights(workdir)), "kinetics": ""})
    settings.lock()
    return settings


class Ablation:
    """Parts of an ablation, done in WORKDIR."""

    def __init__(self, config: ml_collections.ConfigDict, workdir: Path, mode: str, console: Console):
        """`mode`: train_and_evaluate, train or evaluate."""
        self.config, self.workdir, self.console = config, workdir, console
        self.trains, self.scores = mode != "evaluate", mode != "train"

    def run(self, parts: Sequence[Part]) -> dict[str, UserError]:
        """Does what is not done yet of these parts.

        A part with sound that fails does not keep the others from being done. Returns which failed, and why.

        Raises:
          UserError: a wrong setting, a part done with other ones, a start that is not there, or `visual` failed.
        """
        todo = self._todo(parts)
        if not todo:
            return {}
        data = self._data(todo)
        failed = {}
        for part in todo:
            try:
                self._do(part, dataclasses.replace(data, split=part.split))
            except UserError as error:
                if part.is_visual:
                    raise
                failed[part.name] = error
                self._say(f"{part.name} failed: {error}")
            jax.clear_caches()  # dozens of compiled networks would fill the memory
        return failed

    def _data(self, todo: Sequence[Part]) -> Data:
        """Where they are; a wrong setting of any stage shows now, not after the first training."""
        settings = job_config(self.config, next((part for part in todo if not part.is_visual), todo[0]))
        data = find_data(settings, self.workdir, self.console)
        if self.scores and not data.can_score:
            raise UserError(
                "--config.data.path: the shards hold no annotations. Give --config.data.raw, or --mode=train."
            )
        for split in dict.fromkeys(part.split for part in todo):
            job = Job(settings, self.workdir, dataclasses.replace(data, split=split), self.console)
            if self.trains:
                job.check()
        return data

    def _todo(self, parts: Sequence[Part]) -> list[Part]:
        todo = []
        for part in parts:
            trained = part.is_trained(self.workdir)
            if not trained and not self.trains:
                self._say(f"{part.name}: not trained to its end, left out.")
                continue
            if not trained and part.start not in parts and not part.start.is_trained(self.workdir):
                raise UserError(
                    f"{part.start.weights(self.workdir)}: not there, and {part.name} starts from it. "
                    f"Run --only={VISUAL} first."
                )
            if trained and self.trains:
                settings, stage = part_config(self.config, part, self.workdir), _stage(part)
                check_same_settings(settings, part.folder(self.workdir), {stage: True})
            if trained and not (self.scores and not self._is_scored(part)):
                self._say(f"{part.name}: done before.")
                continue
            todo.append(part)
        return todo

    def _do(self, part: Part, data: Data) -> None:
        folder = part.folder(self.workdir)
        self._say(f"{part.name}:")
        with locked_folder(folder):
            self._train_and_score(part, folder, data)

    def _train_and_score(self, part: Part, folder: Path, data: Data) -> None:
        job = Job(part_config(self.config, part, self.workdir), folder, data, self.console)
        if not part.is_trained(self.workdir):
            job.train()
        if not self.scores:
            return
        (folder / SCORED).unlink(missing_ok=True)
        job.evaluate()
        which, batch_size = self.config.evaluation.weights, self.config.evaluation.batch_size
        weights, info = read_weights(part.weights(self.workdir, which))
        with out_of_memory_as_user_error(f"--config.evaluation.batch_size={batch_size}", "Give a smaller one."):
            found = cost.measure(SaliencyModel(info.network_config(), weights, info.size), batch_size)
        write_text(folder / SCORED, json.dumps({"weights": which, "cost": dataclasses.asdict(found)}) + "\n")

    def _is_scored(self, part: Part) -> bool:
        return part.is_scored(self.workdir, self.config.evaluation.weights)

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False)


def collect(workdir: Path, parts: Sequence[Part], console: Console) -> dict[str, System]:
    """Reads what is scored of the parts, prints one table, writes WORKDIR/ablation.{md,tex,csv,json} and report.html.

    Raises:
      UserError: nothing is scored yet.
    """
    done = [part for part in parts if part.is_scored(workdir)]
    if not done:
        raise UserError(f"{workdir}: holds no scores of these variants and splits. Run without --mode=table first.")
    videos: dict[str, list[VideoScores]] = {}
    for part in done:
        scored = read_frame_scores(part.folder(workdir))
        for name in (CENTRE_BIAS, VISUAL) if part.is_visual else (part.variant,):
            videos.setdefault(name, []).extend(scored[name])
    systems = {name: _system(name, videos, done, workdir) for name in videos}
    missing = [part.name for part in parts if part not in done]
    notes = _notes(systems, missing)
    title = f"Held-out films, splits {', '.join(map(str, sorted({part.split for part in done})))}"
    write_ablation(workdir, systems, {"missing": missing, "versions": versions()}, notes)
    main = MAIN if MAIN in systems else list(systems)[-1]
    report = Report(
        {name: system.results for name, system in systems.items()},
        title=title,
        main=main,
        comparison=systems[main].gain,
        facts={"trained in": workdir, "all gains and costs": "ablation.md"},
        notes=notes,
    )
    write_report(workdir, report)
    print_ablation(systems, title, notes, console)
    return systems


def _system(name: str, videos: dict[str, list[VideoScores]], done: Sequence[Part], workdir: Path) -> System:
    mine = videos[name]
    splits = tuple(sorted({video.split for video in mine}))
    first = next((part for part in done if part.variant == name), None)
    found = _read_cost(first.folder(workdir) / SCORED) if first else None
    same_splits = [video for video in videos.get(VISUAL, ()) if video.split in splits]
    comparable = first is not None and name != VISUAL and bool(same_splits)
    gain = compare(film_scores(mine), film_scores(same_splits), names=(name, VISUAL)) if comparable else None
    return System(aggregate(mine), splits, found, gain)


def _read_mark(path: Path) -> dict:
    return json_files.read_object(path, "Remove it and score again.")


def _read_cost(path: Path) -> cost.Cost:
    try:
        return cost.Cost(**_read_mark(path)["cost"])
    except (KeyError, TypeError) as error:
        raise UserError(f"{path}: holds no cost ({error}). Remove it and score again.") from None


def _notes(systems: dict[str, System], missing: Sequence[str]) -> list[str]:
    notes = []
    costs = [system.cost for system in systems.values() if system.cost]
    where = sorted({f"{of.batch_size} clips at once on {of.device}" for of in costs})
    if where:
        notes.append(
            "Parameters: those that learn. GFLOPs: of one clip, by XLA's count. "
            f"Clips/s: scoring, {'; '.join(where)}, without reading clips."
        )
    if missing:
        notes.append(f"Not there yet: {', '.join(missing)}. Rows over other splits are over other films.")
    return notes


def _stage(part: Part) -> str:
    return "visual" if part.is_visual else "audiovisual"


def _listed(text: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
