"""Command: the small training of tests/stavis_jax/training/small_training.py.

python -m small_run SHARDS WORKDIR [JSON of changed settings]
"""

import json
import sys
from pathlib import Path

from data_pipelines.errors import command
from data_pipelines.places import only_run_in

sys.path.insert(0, str(Path(__file__).parents[1] / "stavis_jax" / "training"))


@command
def main() -> None:
    import jax
    import small_training
    from absl import logging

    from stavis_jax.training.devices import DataParallel

    logging.set_verbosity(logging.WARNING)
    shards, workdir, *changes = sys.argv[1:]
    settings = json.loads(changes[0]) if changes else {}
    with only_run_in(Path(workdir)):
        small_training.train_small(Path(shards), Path(workdir), devices=DataParallel(jax.devices()[:1]), **settings)


if __name__ == "__main__":
    main()
