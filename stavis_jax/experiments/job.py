"""The main job: shards -> trained networks -> maps of the test films -> scores, a table and pictures."""

import contextlib
import dataclasses
import hashlib
import json
from pathlib import Path

import jax
import ml_collections
from rich.console import Console

from data_pipelines.clips.batches import clips_per_epoch, evaluation_batches, training_batches
from data_pipelines.clips.source import open_clips
from data_pipelines.raw.fold_lists import ListedFilm
from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime.errors import UserError, out_of_memory_as_user_error
from data_pipelines.shards.annotations import open_annotations
from data_pipelines.shards.reader import Shards
from stavis_jax.experiments import demo_data
from stavis_jax.experiments.test_maps import read_test_maps, write_test_maps
from stavis_jax.experiments.workdir import check_same_settings, versions, write_settings
from stavis_jax.models import fusion
from stavis_jax.models.stavis import NetworkConfig, Stavis
from stavis_jax.prediction.model import SaliencyModel
from stavis_jax.reports.comparison_picture import save_comparison
from stavis_jax.reports.console import print_table
from stavis_jax.reports.example_frames import PictureSource, film_frames, middle_frames
from stavis_jax.reports.report import Report, write_report
from stavis_jax.reports.results_files import write_results
from stavis_jax.reports.score_tables import scores_table
from stavis_jax.scoring import baselines, protocol
from stavis_jax.scoring.aggregation import aggregate
from stavis_jax.scoring.comparison import compare
from stavis_jax.scoring.score_warnings import print_warnings, warnings_of
from stavis_jax.training.compute import Compute
from stavis_jax.training.devices import DataParallel, is_first_host, wait_for_all_hosts
from stavis_jax.training.loop import Recipe, train
from stavis_jax.weights.directory import WeightsInfo, read_weights, save_weights
from stavis_jax.weights.flat_names import Weights, fill_network, new_network, read_network
from stavis_jax.weights.loading import load_weights


@dataclasses.dataclass(frozen=True)
class Data:
    """Where a job's data are. `raw` None: scored with the annotations in the shards, if they hold them."""

    shards: Path
    raw: Path | None
    databases: tuple[str, ...] | None
    split: int

    @property
    def can_score(self) -> bool:
        return self.raw is not None or Shards(self.shards).has_native_annotations


def network_config(config: ml_collections.ConfigDict, variant: str | None = None) -> NetworkConfig:
    """The network a configuration names, or another variant of it. Raises UserError for one there is not."""
    try:
        return NetworkConfig(variant or config.model.variant, config.model.depth, config.model.shortcut)
    except ValueError as error:
        raise UserError(f"--config.model: {error}.") from error


def find_data(config: ml_collections.ConfigDict, workdir: Path, console: Console) -> Data:
    """The data a configuration names; the demo's are made under WORKDIR/data first."""
    network_config(config)  # a wrong one shows before data are made
    databases = tuple(name.strip() for name in config.data.databases.split(",") if name.strip()) or None
    if config.preset == "demo":
        shards, raw = demo_data.make_data(config.demo, workdir / "data", config.seed, console)
        return Data(shards, raw, databases, config.data.split)
    shards = Path(config.data.path)
    if not shards.is_dir():
        raise UserError(
            f"--config.data.path={shards}: no such folder. Make shards with python -m data_pipelines.prepare."
        )
    raw = Path(config.data.raw) if config.data.raw else None
    if raw is not None and not raw.is_dir():
        raise UserError(f"--config.data.raw={raw}: no such folder. Give the folder that the shards were made from.")
    return Data(shards, raw, databases, config.data.split)


class Job:
    """One configuration in one working directory: WORKDIR/<variant>/ for what is trained, maps/, results.json."""

    def __init__(self, config: ml_collections.ConfigDict, workdir: Path, data: Data, console: Console):
        self.config, self.workdir, self.data, self.console = config, workdir, data, console
        self.size = Shards(data.shards).size
        self.variant = network_config(config).variant
        # What is missing shows now, not after days of training.
        self.films = {subset: self._films(subset) for subset in ("train", "test")}
        check_same_settings(config, workdir, started=None)
        if config.evaluation.weights not in ("last", "best"):
            raise UserError(f"--config.evaluation.weights={config.evaluation.weights}: choose from last, best.")
        if config.evaluation.batch_size < 1:
            raise UserError(f"--config.evaluation.batch_size={config.evaluation.batch_size}: give 1 or more.")
        if config.data.workers < 0:
            raise UserError(f"--config.data.workers={config.data.workers}: give 0 or more.")
        self.compute = Compute(**config.compute)

    def train(self) -> None:
        """Trains the visual stage, if no visual network is given, and the audio-visual stage from it."""
        started = {stage: self._has_started(variant) for stage, variant in self._stages().items()}
        check_same_settings(self.config, self.workdir, started)
        recipes = self.check()
        if is_first_host():
            write_settings(self.config, self.workdir)
        for stage, recipe in recipes.items():
            self._train_stage(recipe, self._visual_start() if stage == "visual" else self._audiovisual_start())

    def check(self) -> dict[str, Recipe]:
        """The settings of the stages to be trained. Raises UserError for what is wrong with them or their starts."""
        recipes = {stage: self._recipe(stage) for stage in self._stages()}
        for setting, kind in (("kinetics", "kinetics"), ("soundnet", "soundnet"), ("visual", "stavis")):
            self._init_weights(setting, kind)
        return recipes

    def evaluate(self) -> dict:
        """Scores the centre bias and every variant trained here on the test films; writes results, report."""
        annotations = open_annotations(self.data.raw or self.data.shards)
        trained = [name for name in dict.fromkeys(("visual", self.variant)) if (self.workdir / name / "last").is_dir()]
        if self.variant not in trained:
            raise UserError(
                f"{self.workdir}: {self.variant} is not trained to its end here. Run with --mode=train_and_evaluate."
            )
        bias = baselines.centre_bias(annotations, self.films["train"])
        predictions = {baselines.CENTRE_BIAS: baselines.same_map_predictions(bias, self.films["test"], self.data.split)}
        for variant in trained:
            predictions[variant] = self._predict(variant, self.films["test"])
        scores = {
            name: protocol.score_videos(annotations, videos, baselines={self.data.split: bias}, console=self.console)
            for name, videos in predictions.items()
        }
        results = {name: aggregate(of_videos) for name, of_videos in scores.items()}
        content = write_results(self.workdir, results, {"split": self.data.split, "versions": versions()})
        title = f"Held-out films of split {self.data.split}"
        print_table(scores_table(title, {name: of.overall for name, of in results.items()}), self.console)
        warnings = warnings_of(scores[self.variant])
        print_warnings(warnings, self.console)
        read = film_frames(self.data.raw or self.data.shards)
        pictures = middle_frames(read, annotations, predictions, self.config.evaluation.pictures)
        if pictures["frame"]:
            save_comparison(self.workdir / "comparison.png", pictures)
        films = {name: of.films for name, of in results.items()}
        names = (self.variant, "visual")
        report = Report(
            results,
            title=title,
            main=self.variant,
            pictures=PictureSource(read, annotations, predictions[self.variant]),
            comparison=compare(*map(films.get, names), names=names) if "visual" in trained[:-1] else None,
            facts={"trained in": self.workdir, "data": self.data.shards, "preset": self.config.preset},
            warnings=warnings,
        )
        path = write_report(self.workdir, report)
        self.console.print(f"Report: {path}", markup=False, highlight=False, soft_wrap=True)
        return content

    def _films(self, subset: str) -> list[ListedFilm]:
        """The films of the shards' list; with a raw folder, each must be there too."""
        clips = open_clips(self.data.shards, subset, self.data.split, databases=self.data.databases)
        stored = [clips.films[i] for i in dict.fromkeys(map(clips.film_index, range(len(clips))))]
        for film in stored if self.data.raw is not None else ():
            folder = RawLayout(self.data.raw).annotation_folder(film.database, film.name)
            if not folder.is_dir():
                raise UserError(f"{folder}: no such folder. Give --config.data.raw as the shards were made from it.")
        return [ListedFilm(film.database, film.name, film.num_frames, film.fps) for film in stored]

    def _stages(self) -> dict[str, str]:
        """Stage -> the variant it trains."""
        uses_sound, visual = fusion.VARIANTS[self.variant].uses_sound, self.config.init.visual
        if visual and not uses_sound:
            raise UserError("--config.init.visual: nothing is left to train of the visual network. Leave it out.")
        stages = {"visual": "visual"} if not visual else {}
        return stages | ({"audiovisual": self.variant} if uses_sound else {})

    def _has_started(self, variant: str) -> bool:
        folder = self.workdir / variant / "checkpoints"
        return folder.is_dir() and any(path.name.isdigit() for path in folder.iterdir())

    def _recipe(self, stage: str) -> Recipe:
        """A stage's settings. Raises UserError, which names the flag, for one out of range or too few devices."""
        names = {field.name for field in dataclasses.fields(Recipe)}
        settings = self.config.stages[stage].to_dict()
        try:
            recipe = Recipe(**{name: value for name, value in settings.items() if name in names})
        except UserError as error:
            raise UserError(f"--config.stages.{stage}.{error}") from None
        self._devices(recipe).check_batch_size(recipe.batch_size, f"config.stages.{stage}.batch_size")
        return recipe

    def _devices(self, recipe: Recipe) -> DataParallel:
        """All there are; the demo's small batches take what they split over."""
        alone = self.config.preset == "demo" and jax.process_count() == 1
        return DataParallel.for_batch(recipe.batch_size) if alone else DataParallel()

    def _train_stage(self, recipe: Recipe, network: Stavis) -> None:
        directory, devices = self.workdir / network.config.variant, self._devices(recipe)
        if devices.num_devices < jax.device_count():
            self.console.print(
                f"A batch of {recipe.batch_size} takes {devices.num_devices} of {jax.device_count()} devices.",
                highlight=False,
            )
        listed = {"split": self.data.split, "databases": self.data.databases}
        hosts = {"host_index": jax.process_index(), "host_count": jax.process_count()}
        data = listed | hosts | {"batch_size": recipe.batch_size // jax.process_count()}
        batches = training_batches(
            self.data.shards, seed=self.config.seed, num_workers=self.config.data.workers, **data
        )

        def validation():
            return evaluation_batches(self.data.shards, subset="test", windows="validation", **data)

        def keep(trained: Stavis, name: str) -> None:
            if is_first_host():
                info = WeightsInfo.of_network(trained.config, size=self.size, source=f"training in {self.workdir.name}")
                save_weights(directory / name, read_network(trained), info, overwrite=True)
            wait_for_all_hosts(f"{network.config.variant} {name}")

        stage = "audiovisual" if fusion.VARIANTS[network.config.variant].uses_sound else "visual"
        flag = f"--config.stages.{stage}.batch_size={recipe.batch_size}"
        advice = "Give a smaller one: gradients are accumulated to effective_batch all the same."
        with contextlib.closing(batches), out_of_memory_as_user_error(flag, advice):
            train(
                network,
                recipe,
                batches,
                max(clips_per_epoch(self.data.shards, **listed) // recipe.batch_size, 1),
                validation,
                directory,
                keep=keep,
                films=[f"{film.database}/{film.name}" for film in Shards(self.data.shards).films],
                data_digest=self._data_digest(),
                compute=self.compute,
                devices=devices,
                tensorboard=self.config.tensorboard,
                console=self.console,
            )

    def _data_digest(self) -> str:
        """Tells these training clips from others, wherever they lie."""
        shards = Shards(self.data.shards)
        films = [(film.database, film.name, film.num_frames) for film in self.films["train"]]
        return hashlib.sha256(json.dumps([shards.size, shards.resize_filter, films]).encode()).hexdigest()

    def _visual_start(self) -> Stavis:
        network = new_network(network_config(self.config, "visual"), self.config.seed)
        self._fill(network, "kinetics", "the trunk")
        return network

    def _audiovisual_start(self) -> Stavis:
        visual = Path(self.config.init.visual or self.workdir / "visual" / "last")
        network = new_network(network_config(self.config), self.config.seed)
        weights, _ = load_weights(visual)
        self._fill_from(network, {name: w for name, w in weights.items() if _is_visual(name)}, visual)
        self._fill(network, "soundnet", "SoundNet")
        return network

    def _fill(self, network: Stavis, setting: str, what: str) -> None:
        weights = self._init_weights(setting, setting)
        if weights is None:
            self.console.print(f"{what} starts from nothing: --config.init.{setting} is not given.", highlight=False)
        else:
            self._fill_from(network, weights, self.config.init[setting])

    def _init_weights(self, setting: str, kind: str) -> Weights | None:
        """What --config.init.SETTING holds; None if it is not given. Raises UserError if it is of another kind."""
        path = self.config.init[setting]
        if not path:
            return None
        weights, info = load_weights(Path(path))
        if info.kind != kind:
            raise UserError(f"--config.init.{setting}={path}: holds {info.kind} weights. Give a {kind} checkpoint.")
        return weights

    def _fill_from(self, network: Stavis, weights: dict, path: Path | str) -> None:
        try:
            left = fill_network(network, weights)
        except ValueError as error:
            raise UserError(f"{path}: does not fit the network ({error}). Check --config.model.depth.") from error
        missing = [name for name in left if name.split("/")[0] in {name.split("/")[0] for name in weights}]
        if missing:
            raise UserError(f"{path}: lacks {', '.join(missing[:5])}. Check --config.model.depth and shortcut.")

    def _predict(self, variant: str, films: list) -> list[protocol.PredictedVideo]:
        weights, info = read_weights(self.workdir / variant / self.config.evaluation.weights)
        model = SaliencyModel(info.network_config(), weights, size=info.size)
        maps = self.workdir / "maps" / variant
        maps.parent.mkdir(parents=True, exist_ok=True)
        batch_size = self.config.evaluation.batch_size
        with out_of_memory_as_user_error(f"--config.evaluation.batch_size={batch_size}", "Give a smaller one."):
            write_test_maps(
                model,
                self.data.shards,
                maps,
                split=self.data.split,
                databases=self.data.databases,
                batch_size=batch_size,
                title=f"maps of {variant}",
                console=self.console,
            )
        return read_test_maps(maps, films, self.data.split)


def _is_visual(name: str) -> bool:
    return name.split("/")[0] in ("trunk", "attention1", "attention2", "attention3", "attention4", "fuse")
