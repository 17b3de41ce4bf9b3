"""The paper's audio-visual training: visual first, then `l3mul-s3` from it.

  python -m stavis_jax.main --config=configs/av.py --config.data.path=SHARDS --workdir=RUN \
      --config.init.kinetics=resnet-50-kinetics.pth --config.init.soundnet=soundnet8.pth

Hardware of the paper: 4 GPUs, 32 clips on each. Row to expect: the supplement's Tables 4 and 5, "L3mul-S3 (proposed)".

  python -m stavis_jax.main --config=configs/av.py:demo

The same job made small: a synthetic database it makes itself, ResNet-10, 64 x 64 pixels; minutes on 2 CPU cores.
Plain configs/av.py runs it while no data path is given.
"""

import ml_collections

from stavis_jax.experiments import recipes


def get_config(preset: str = "paper") -> ml_collections.ConfigDict:
    return recipes.config("l3mul-s3", preset)
