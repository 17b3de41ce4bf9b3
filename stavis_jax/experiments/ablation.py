"""Runs an ablation: on each split, trains and scores the visual network, and from it every system with sound.

Finished parts are not run again, and interrupted parts continue. So parts may run one after another, or on several
machines at once.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import ml_collections
from rich.console import Console

from data_pipelines.runtime.atomic import locked_folder, write_text
from data_pipelines.runtime.errors import UserError, out_of_memory_as_user_error
from stavis_jax.experiments import cost
from stavis_jax.experiments.ablation_parts import SCORED, VISUAL, Part
from stavis_jax.experiments.data import ExperimentData, find_data
from stavis_jax.experiments.score_batches import clips_per_batch
from stavis_jax.experiments.scoring import score_workdir
from stavis_jax.experiments.settings import ScoringSettings, check_settings, watch_settings
from stavis_jax.experiments.stages import StartWeights, load_start_weights, plan_stages
from stavis_jax.experiments.training import check_batch_sizes, train_stages
from stavis_jax.experiments.workdir import check_same_settings
from stavis_jax.prediction.model import StavisModel
from stavis_jax.watch import pulse
from stavis_jax.watch.watch import Watch
from stavis_jax.weights.directory import read_weights
from stavis_jax.weights.flat_names import Weights


class Ablation:
    """An ablation in a working directory."""

    def __init__(self, config: ml_collections.ConfigDict, workdir: Path, mode: str, console: Console):
        """`mode`: train_and_evaluate, train or evaluate."""
        self.config, self.workdir, self.console = config, workdir, console
        self.trains, self.scores = mode != "evaluate", mode != "train"

    def run(self, parts: Sequence[Part]) -> dict[str, UserError]:
        """Runs the parts that are not finished. If a part with sound fails, the others still run.

        Returns:
          The names of the parts that failed, with their errors.

        Raises:
          UserError: a setting is wrong, a part was done with other settings, a start is missing, or `visual` failed.
        """
        todo = [part for part in parts if self._is_to_do(part, parts)]
        if not todo:
            return {}
        data, loaded = self._prepare(todo)
        failed = {}
        for part in todo:
            try:
                self._say(f"{part.name}:")
                self._do(part, dataclasses.replace(data, split=part.split), loaded)
            except UserError as error:
                if part.is_visual:
                    raise
                failed[part.name] = error
                self._say(f"{part.name} failed: {error}")
            jax.clear_caches()  # dozens of compiled networks would fill the memory
        return failed

    def _is_to_do(self, part: Part, parts: Sequence[Part]) -> bool:
        trained = part.is_trained(self.workdir)
        if not trained and not self.trains:
            self._say(f"{part.name}: its training is not complete, so it is left out.")
            return False
        if not trained and part.start not in parts and not part.start.is_trained(self.workdir):
            raise UserError(
                f"{part.start.weights(self.workdir)}: missing, and {part.name} starts from it. "
                f"Run --only={VISUAL} first."
            )
        if trained and self.trains:
            config = part.config(self.config, self.workdir)
            check_same_settings(config, part.folder(self.workdir), dict.fromkeys(config.stages, True))
        if trained and not (self.scores and not part.is_scored(self.workdir, self.config.evaluation.weights)):
            self._say(f"{part.name}: done before.")
            return False
        return True

    def _prepare(self, todo: Sequence[Part]) -> tuple[ExperimentData, Mapping[StartWeights, Weights]]:
        """Finds the data and reads the start weights, so that errors in any part appear before training."""
        configs = [part.config(self.config, self.workdir) for part in todo]
        check_settings(configs[0])
        data = find_data(configs[0], self.workdir, self.console)
        if self.scores and not data.can_score:
            raise UserError(
                "--config.data.path: the shards hold no annotations. Give --config.data.raw, or --mode=train."
            )
        for split in dict.fromkeys(part.split for part in todo):
            dataclasses.replace(data, split=split).check()
        untrained = [config for part, config in zip(todo, configs, strict=True) if not part.is_trained(self.workdir)]
        stages = [stage for config in untrained for stage in plan_stages(config, self.workdir)]
        check_batch_sizes(self.config, stages)
        # Not the visual networks: this run may have to train them first.
        starts = {start for stage in stages for start in stage.starts if start.setting != VISUAL}
        return data, load_start_weights(starts)

    def _do(self, part: Part, data: ExperimentData, loaded: Mapping[StartWeights, Weights]) -> None:
        config, folder = part.config(self.config, self.workdir), part.folder(self.workdir)
        with locked_folder(folder), Watch(folder, watch_settings(config)):
            if not part.is_trained(self.workdir):
                train_stages(config, data, folder, self.console, loaded)
            if self.scores:
                pulse.current.doing = "scoring"
                (folder / SCORED).unlink(missing_ok=True)
                score_workdir(config, data, folder, self.console)
                record = {"weights": config.evaluation.weights, "cost": dataclasses.asdict(self._cost(part))}
                write_text(folder / SCORED, json.dumps(record) + "\n")

    def _cost(self, part: Part) -> cost.Cost:
        settings = ScoringSettings(**self.config.evaluation)
        batch_size = clips_per_batch(settings.batch_size)
        weights, info = read_weights(part.weights(self.workdir, settings.weights))
        with out_of_memory_as_user_error(f"--config.evaluation.batch_size={batch_size}", "Give a smaller one."):
            model = StavisModel(info.network_config(), weights, info.size, dtype=settings.dtype)
            return cost.measure(model, batch_size)

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False)
