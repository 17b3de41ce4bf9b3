"""The argument of the paper: all 13 systems trained alike, each from the same visual network, on every split.

  python -m stavis_jax.ablate --config=configs/ablation.py --config.data.path=SHARDS --workdir=RUN \
      --config.init.kinetics=resnet-50-kinetics.pth --config.init.soundnet=soundnet8.pth

Rows to expect: those of the paper's own systems in the supplement's Tables 4 and 5.

  python -m stavis_jax.ablate --config=configs/ablation.py:demo

The same made small, on a synthetic database in which only the sound tells what people look at.
"""

import ml_collections

from stavis_jax.experiments import recipes


def get_config(preset: str = "paper") -> ml_collections.ConfigDict:
    return recipes.ablation(preset)
