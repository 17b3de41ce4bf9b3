"""Finds the data that an experiment trains and scores on, and makes the demo's data."""

import dataclasses
import hashlib
import json
from pathlib import Path

import ml_collections
from rich.console import Console

from data_pipelines.clips.source import open_clips
from data_pipelines.raw.fold_lists import ListedFilm, Subset
from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime import json_files
from data_pipelines.runtime.atomic import write_text
from data_pipelines.runtime.errors import UserError
from data_pipelines.shards.raw_to_shards import prepare
from data_pipelines.shards.reader import Shards
from data_pipelines.synthetic.database import synthesize
from stavis_jax.training.devices import is_first_host, wait_for_all_hosts


@dataclasses.dataclass(frozen=True)
class ExperimentData:
    """Shards, and one of their splits.

    Attributes:
      shards: folder of shards.
      raw: raw data that the shards were made from. None: the annotations in the shards are used, if there are any.
      databases: the databases to use; None for all.
      split: 1, 2 or 3.
    """

    shards: Path
    raw: Path | None = None
    databases: tuple[str, ...] | None = None
    split: int = 1

    @property
    def can_score(self) -> bool:
        return self.raw is not None or Shards(self.shards).has_native_annotations

    @property
    def annotations(self) -> Path:
        """The folder with the annotations to score with: raw data or shards."""
        return self.raw or self.shards

    def films(self, subset: Subset) -> list[ListedFilm]:
        """Returns the films of a list.

        Raises:
          UserError: there are none, or `raw` lacks one of them.
        """
        clips = open_clips(self.shards, subset, self.split, databases=self.databases)
        films = [clips.films[i] for i in dict.fromkeys(map(clips.film_index, range(len(clips))))]
        if self.raw is not None:
            layout = RawLayout(self.raw)
            for folder in (layout.annotation_folder(film.database, film.name) for film in films):
                if not folder.is_dir():
                    raise UserError(
                        f"{folder}: no such folder. Give the --config.data.raw that the shards were made from."
                    )
        return [ListedFilm(film.database, film.name, film.num_frames, film.fps) for film in films]

    def check(self) -> None:
        """Raises UserError if a list or film is missing, so that the error appears before days of training."""
        self.films("train")
        self.films("test")

    def digest(self) -> str:
        """Returns a digest that identifies these training clips, wherever they are stored."""
        shards = Shards(self.shards)
        films = [(film.database, film.name, film.num_frames) for film in self.films("train")]
        return hashlib.sha256(json.dumps([shards.size, shards.resize_filter, films]).encode()).hexdigest()


def find_data(config: ml_collections.ConfigDict, workdir: Path, console: Console) -> ExperimentData:
    """Returns the data of a configuration, checked. The first host makes the demo's data in WORKDIR/data.

    Raises:
      UserError: there is no such folder, or it lacks films of the split.
    """
    if config.preset == "demo":
        if is_first_host():
            _make_demo_data(config.demo, workdir / "data", config.seed, console)
        wait_for_all_hosts("data")
        shards = workdir / "data" / "shards"
        raw: Path | None = workdir / "data" / "raw"
    else:
        shards, raw = Path(config.data.path), Path(config.data.raw) if config.data.raw else None
        if not shards.is_dir():
            raise UserError(
                f"--config.data.path={shards}: no such folder. Make shards with python -m data_pipelines.prepare."
            )
        if raw is not None and not raw.is_dir():
            raise UserError(f"--config.data.raw={raw}: no such folder. Give the folder that the shards were made from.")
    databases = tuple(name.strip() for name in config.data.databases.split(",") if name.strip())
    data = ExperimentData(shards, raw, databases or None, config.data.split)
    data.check()
    return data


def _make_demo_data(settings: ml_collections.ConfigDict, folder: Path, seed: int, console: Console) -> None:
    """Makes a synthetic database, FOLDER/raw, and its shards, FOLDER/shards, unless they exist."""
    raw, shards, record = folder / "raw", folder / "shards", folder / "settings.json"
    wanted = settings.to_dict() | {"seed": seed}
    if record.exists() and (made := json_files.read_object(record, "Give another --workdir.")) != wanted:
        raise UserError(f"{folder}: was made with {made}, now it is {wanted}. Give another --workdir.")
    folder.mkdir(parents=True, exist_ok=True)
    write_text(record, json.dumps(wanted))
    if not raw.exists():
        console.print("Making a synthetic database: films in which only the sound shows what people look at.")
        synthesize(
            raw,
            num_train_films=settings.train_films,
            num_test_films=settings.test_films,
            num_frames=settings.frames,
            seed=seed,
        )
    if not shards.exists():
        console.print("Preparing its shards.")
        prepare(raw, shards, size=settings.size)
