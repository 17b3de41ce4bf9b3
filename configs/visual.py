"""The paper's first stage alone: the picture, from a 3D ResNet-50 trained on Kinetics-400.

  python -m stavis_jax.main --config=configs/visual.py --config.data.path=SHARDS --workdir=RUN \
      --config.init.kinetics=resnet-50-kinetics.pth

Row to expect: the supplement's Tables 4 and 5, "Visual". `configs/visual.py:demo` makes it small, as in configs/av.py.
"""

import ml_collections

from stavis_jax.experiments import recipes


def get_config(preset: str = "paper") -> ml_collections.ConfigDict:
    return recipes.config("visual", preset)
