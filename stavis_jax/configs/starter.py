"""The starter: the small network that comes with the package. It learns from pictures, one frame at a time.

The pictures and their gaze are those of OSIE and Saliency in Crowd (docs/stills.md). A seventh of the first and a fifth
of the second are held out. A teacher, which knows ImageNet, learns from the gaze and labels scenes that are made from
the pictures. The starter learns from these.

  git clone https://github.com/NUS-VIP/predicting-human-gaze-beyond-pixels osie     (commit 4a467890)
  git clone https://github.com/NUS-VIP/saliency-in-crowd crowd                      (commit 8bb0416e)
  python -m data_pipelines.ingest --stills --films osie/data/stimuli --gaze osie/data/eye/fixations.mat \
      --database OSIE --test $(seq 1007 7 1700) --output RAW
  python -m data_pipelines.ingest --stills --films crowd/data/stimuli --gaze crowd/data/eye/fixations.mat \
      --database SaliencyInCrowd --test $(seq -f %03g 5 5 500) --output RAW
  python -m tools.starter.train_teacher --data RAW --output teacher.npz
  python -m tools.starter.make_data --data RAW --teacher teacher.npz --output RAW
  python -m data_pipelines.prepare --data RAW --output SHARDS --no-annotations
  python -m tools.starter.train_flat --data SHARDS --output RUN
  python -m stavis_jax.convert RUN --half --output starter

tools/starter needs PyTorch and the packages that tools/starter/backbone.py names. docs/starter.md has the scores.

The packaged weights are from tools.starter.train_flat, which trains the same network with these settings in bfloat16 on
a CPU. This recipe trains it with JAX, on a GPU say, where it has not been run to the end:

  python -m stavis_jax.main --config=starter --config.data.path=SHARDS --config.data.raw=RAW --workdir=RUN

`--config=starter:films` continues on films of 16 frames in which cameras and things move, the database MadeFilms:

  python -m stavis_jax.main --config=starter:films --config.data.path=FILMS --config.data.raw=RAW --workdir=RUN2 \
      --config.init.visual=RUN/visual/last
"""

from typing import Any

import ml_collections

from stavis_jax.configs import av, changed, configuration

PICTURES = {
    "epochs": 20,
    "batch_size": 32,
    "effective_batch": 32,
    "learning_rate": 1.4e-3,
    "group_rates": {"trunk": 1.0, "heads": 1.0, "sound": 0.0, "localization": 0.0},
    "frames": 1,
    "optimizer": "adam",
    "schedule": "cosine",
    "average": 0.998,
    "weight_decay": 0.2,
    "max_gradient_norm": 1.0,
    # The cross-entropy is a sum over 12,544 pixels.
    "loss_weights": {"cross_entropy": 0.0005, "correlation": 2.0, "nss": 0.25},
}
# Settings that the preset `films` changes.
FILMS = {
    "model.starts_2d": False,
    "stages.visual.frames": 16,
    "stages.visual.epochs": 2,
    "stages.visual.batch_size": 64,
    "stages.visual.effective_batch": 64,
    "stages.visual.learning_rate": 3e-4,
    "stages.visual.average": 0.99,
}


def paper() -> dict[str, Any]:
    """Returns the values of the training on pictures."""
    values = av.paper()
    values["model"] |= {"variant": "visual", "depth": 10, "starts_2d": True}
    values["data"] |= {
        "augmentation": {"crop": 0.55, "stretch": 0.25, "motion": 0.12, "colour": 0.35, "whole": 0.25},
    }
    values["stages"]["visual"] |= PICTURES
    return values


# Settings that the preset `demo` changes: the training on pictures, on synthetic films.
DEMO = av.DEMO | {"stages.visual.learning_rate": 1e-3, "stages.visual.group_rates.heads": 1.0}


def get_config(preset: str = "paper") -> ml_collections.ConfigDict:
    """Returns the training on pictures, by default, or the one on films (`films`), or the demo."""
    if preset == "films":
        return changed(configuration(paper(), DEMO, "paper"), FILMS)
    return configuration(paper(), DEMO, preset)
