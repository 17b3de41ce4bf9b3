"""The demo's data: a synthetic database in the raw layout, and its shards."""

import json
from pathlib import Path

import ml_collections
from rich.console import Console

from data_pipelines.prepare import prepare
from data_pipelines.runtime import json_files
from data_pipelines.runtime.atomic import write_text
from data_pipelines.runtime.errors import UserError
from data_pipelines.synthetic.database import synthesize


def make_data(settings: ml_collections.ConfigDict, folder: Path, seed: int, console: Console) -> tuple[Path, Path]:
    """Makes what is not there yet: FOLDER/raw and FOLDER/shards, which it returns (shards first)."""
    raw, shards, record = folder / "raw", folder / "shards", folder / "settings.json"
    wanted = settings.to_dict() | {"seed": seed}
    if record.exists() and (made := json_files.read_object(record, "Give another --workdir.")) != wanted:
        raise UserError(f"{folder}: was made with {made}, now it is {wanted}. Give another --workdir.")
    folder.mkdir(parents=True, exist_ok=True)
    write_text(record, json.dumps(wanted))
    if not raw.exists():
        console.print("Making a synthetic database: films in which only the sound tells what people look at.")
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
    return shards, raw
