"""Runs the small training of tests/stavis_jax/training/small_training.py as a command.

python -m small_run SHARDS WORKDIR [JSON of changed settings]
"""

import importlib
import json
import sys
from pathlib import Path

from data_pipelines.runtime.atomic import locked_folder
from data_pipelines.runtime.command import command


def small_training():
    """Imports and returns the module."""
    folder = str(Path(__file__).parents[1] / "stavis_jax" / "training")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module("small_training")


@command
def main() -> None:
    import jax
    from absl import logging

    from stavis_jax.training.devices import DataParallel

    logging.set_verbosity(logging.WARNING)  # orbax reports every step of every checkpoint
    shards, workdir, *changes = sys.argv[1:]
    settings = json.loads(changes[0]) if changes else {}
    with locked_folder(Path(workdir)):
        one = DataParallel(jax.devices()[:1])
        small_training().train_small(Path(shards), Path(workdir), devices=one, **settings)


if __name__ == "__main__":
    main()
