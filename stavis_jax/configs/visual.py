"""The paper's first stage alone: the visual network, from a 3D ResNet-50 trained on Kinetics-400.

  python -m stavis_jax.main --config=visual --config.data.path=SHARDS --workdir=RUN \
      --config.init.kinetics=resnet-50-kinetics

Hardware in the paper: 4 GPUs with 32 clips each. Row to expect: the supplement's Tables 4 and 5, "Visual".
`--config=visual:demo` runs it in the small form of av.py's demo.
"""

import ml_collections

from stavis_jax.configs import av, configuration


def get_config(preset: str = "paper") -> ml_collections.ConfigDict:
    values = av.paper()
    values["model"]["variant"] = "visual"
    return configuration(values, av.DEMO, preset)
