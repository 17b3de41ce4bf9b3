"""The paper's audio-visual training: first `visual`, then `l3mul-s3` from it.

  python -m stavis_jax.main --config=av --config.data.path=SHARDS --workdir=RUN \
      --config.init.kinetics=resnet-50-kinetics --config.init.soundnet=soundnet8

Hardware in the paper: 4 GPUs with 32 clips each. Row to expect: the supplement's Tables 4 and 5, "L3mul-S3 (proposed)".

  python -m stavis_jax.main --config=av:demo

runs the same training in a small form on a synthetic database that it makes itself: ResNet-10, clips of 64 x 64 pixels,
minutes on 2 CPU cores. `--config=av` runs the demo too while no data path is given.
"""

from typing import Any

import ml_collections

from stavis_jax.configs import configuration


def paper() -> dict[str, Any]:
    """Returns the paper's values."""
    return {
        "preset": "paper",
        "seed": 0,
        "model": {
            "variant": "l3mul-s3",  # paper, section 3.4: the proposed fusion
            "depth": 50,  # supplement, Table 1
            "shortcut": "B",  # strided convolutions, as in the released weights
        },
        "data": {
            "path": "",  # shards from data_pipelines.prepare; empty: the demo
            "raw": "",  # raw data; empty: score with the annotations in the shards
            "databases": "",  # names separated by commas; empty: all
            "split": 1,  # 1, 2 or 3: supplement, Table 3
            "workers": 0,  # processes that read clips; 0: threads of this process
            "placement": "host",  # where pixels wait: host, or device, with all training films in the devices' memory
        },
        "init": {
            "kinetics": "",  # .pth file or converted directory; empty: random weights
            "soundnet": "",  # .pth file or converted directory; empty: random weights
            "visual": "",  # a trained visual network; empty: the first stage trains one
            "audiovisual": "",  # a trained audio-visual network, taken whole; excludes the three above
        },
        # Rates of the groups, relative to learning_rate: the released training's.
        "stages": {
            "visual": _stage({"trunk": 0.1, "heads": 0.01, "sound": 0.0, "localization": 0.0}),
            "audiovisual": _stage({"trunk": 0.01, "heads": 0.01, "sound": 0.1, "localization": 1.0}),
        },
        # The paper's run: float32, and BatchNorm statistics over 32 clips. For these, take batch_size 32 with global
        # statistics, as here, or batch_size 128 on 4 devices with per-device ones, as in the released training.
        "compute": {
            "dtype": "auto",  # of the trunk; auto: bfloat16 on TPUs and GPUs that have it, else float32
            "batch_norm": "global",  # or per-device
            "rematerialize": False,  # true: less memory, about a third more work
        },
        "watch": {
            "host_seconds": 60.0,  # after how long without a sign of another host this one ends
            "step_seconds": 1800.0,  # how long a step may take; 0: for ever
        },
        "on_nan": "stop",  # when a step is not finite; or skip: leave its clips out and go on from the last checkpoint
        "tensorboard": True,  # WORKDIR/<variant>/tensorboard
        "evaluation": {
            "weights": "last",  # as in the paper; or best, by validation loss
            "batch_size": 0,  # clips; 0: 8 on a CPU, 32 per GPU or TPU
            "dtype": "auto",  # as in compute
            "pictures": 6,  # rows of comparison.png
            "maps": "png",  # or matlab: JPEGs in folders of the names that the released MATLAB code reads
        },
    }


def _stage(group_rates: dict[str, float]) -> dict[str, Any]:
    return {
        "epochs": 60,  # supplement, section 2.2: training usually ended around epoch 60
        "batch_size": 32,  # clips per batch; the released training has 32 on each of 4 GPUs
        "effective_batch": 128,  # paper, section 4: gradients are accumulated up to it
        "learning_rate": 0.01,  # released training
        "group_rates": group_rates,
        "momentum": 0.9,  # released training
        "dampening": 0.9,  # released training
        "weight_decay": 1e-5,  # released training: on all parameters, biases and BatchNorm included
        "max_gradient_norm": 0.0,  # 0: no clipping, as in the released training
        "patience": 10,  # supplement, section 2.2: stop after 10 epochs without a better loss
        "patience_from": 0.75,  # share of the epochs; earlier, a training that waits for a lower rate would stop
        "save_every": 1,  # epochs between checkpoints
        "save_every_steps": 0,  # steps between checkpoints; 0: by epoch only
        "keep_checkpoints": 2,
        "freeze_upsampling": False,  # the released weights hold trained upsampling kernels
    }


# Settings that the preset `demo` changes. Nothing is pretrained in the demo. So the parts that are pretrained in the
# paper learn faster here, and the parts that build on them learn more slowly.
DEMO = {
    "preset": "demo",
    "demo": {"train_films": 96, "test_films": 12, "frames": 74, "size": 64},  # size: clip height and width, pixels
    "model.depth": 10,
    "data.databases": "Synthetic",
    "stages.visual.epochs": 5,
    "stages.visual.patience": 5,
    "stages.visual.batch_size": 8,
    "stages.visual.effective_batch": 8,
    "stages.visual.save_every": 5,
    "stages.visual.group_rates.heads": 0.03,
    "stages.audiovisual.epochs": 12,
    "stages.audiovisual.patience": 12,
    "stages.audiovisual.batch_size": 4,
    "stages.audiovisual.effective_batch": 4,
    "stages.audiovisual.save_every": 5,
    # A larger step can silence the sound for good, at 112 pixels and where S1 or S2 use whole localisation maps.
    "stages.audiovisual.max_gradient_norm": 100.0,
    "stages.audiovisual.group_rates.trunk": 0.1,
    "stages.audiovisual.group_rates.heads": 0.003,
    "stages.audiovisual.group_rates.sound": 1.0,
}


def get_config(preset: str = "paper") -> ml_collections.ConfigDict:
    return configuration(paper(), DEMO, preset)
