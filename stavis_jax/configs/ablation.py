"""The paper's comparison: 13 systems trained in the same way, each from the same visual network, on every split.

  python -m stavis_jax.ablate --config=ablation --config.data.path=SHARDS --workdir=RUN \
      --config.init.kinetics=resnet-50-kinetics --config.init.soundnet=soundnet8

Hardware in the paper: 4 GPUs with 32 clips each. Rows to expect: the paper's own systems in the supplement's Tables 4
and 5. The settings are those of av.py.

  python -m stavis_jax.ablate --config=ablation:demo

runs it in a small form, on a synthetic database in which only the sound shows what people look at.
"""

from typing import Any

import ml_collections

from stavis_jax.configs import av, configuration


def paper() -> dict[str, Any]:
    """Returns the paper's values without variant, split and visual network, which differ between the trainings."""
    values = av.paper()
    del values["model"]["variant"], values["data"]["split"], values["init"]["visual"], values["init"]["audiovisual"]
    # The paper's own rows of Tables 4 and 5, in their order. The others start from the first.
    variants = (
        "visual, l1-audio-only, l2-audio-only, l3-audio-only, l1-s1, l2-s1, l3-s1, l1-s2, l2-s2, l3-s2, l3mul-s2, "
        "l3mul-s3, l3mul-fus"
    )
    return values | {"ablation": {"variants": variants, "splits": "1, 2, 3"}}


# Settings that the preset `demo` changes, so that all 13 trainings finish quickly.
DEMO = av.DEMO | {
    "ablation.splits": "1",
    "stages.visual.epochs": 7,
    "stages.visual.patience": 7,
    "stages.audiovisual.epochs": 8,
    "stages.audiovisual.patience": 8,
}


def get_config(preset: str = "paper") -> ml_collections.ConfigDict:
    return configuration(paper(), DEMO, preset)
