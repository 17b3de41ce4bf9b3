"""The demo's data: a synthetic database in the raw layout, and its shards."""

from pathlib import Path

import ml_collections
from rich.console import Console

from data_pipelines.prepare import prepare
from data_pipelines.synthesize import synthesize


def make_data(settings: ml_collections.ConfigDict, folder: Path, seed: int, console: Console) -> tuple[Path, Path]:
    """Makes what is not there yet: FOLDER/raw and FOLDER/shards, which it returns (shards first)."""
    raw, shards = folder / "raw", folder / "shards"
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
