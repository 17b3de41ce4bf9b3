"""The paper's recipe as data, and the demo made from it; configs/ has the files to point at."""

import ml_collections

PRESETS = ("paper", "demo")
# The rows of Tables 4 and 5 that are the paper's own, in their order; the first is what the others start from.
SYSTEMS = (
    "visual",
    "l1-audio-only",
    "l2-audio-only",
    "l3-audio-only",
    "l1-s1",
    "l2-s1",
    "l3-s1",
    "l1-s2",
    "l2-s2",
    "l3-s2",
    "l3mul-s2",
    "l3mul-s3",
    "l3mul-fus",
)
SPLITS = {"paper": (1, 2, 3), "demo": (1,)}


def config(variant: str, preset: str) -> ml_collections.ConfigDict:
    """The settings of a job that ends in `variant`.

    Raises:
      ValueError: no such preset.
    """
    if preset not in PRESETS:
        raise ValueError(f"preset {preset!r} is not one of {', '.join(PRESETS)}")
    settings = _paper(variant)
    return demo(settings) if preset == "demo" else settings


def ablation(preset: str) -> ml_collections.ConfigDict:
    """The settings of many systems trained alike. Which variant, split and start is each training's own.

    Raises:
      ValueError: no such preset.
    """
    settings = config("visual", preset)
    settings.unlock()
    del settings.model.variant, settings.data.split, settings.init.visual
    settings.ablation = ml_collections.ConfigDict(
        {
            "variants": ",".join(SYSTEMS),
            "splits": ",".join(map(str, SPLITS[preset])),
        }
    )
    if preset == "demo":  # 13 trainings for the price of a few
        for stage, epochs in ((settings.stages.visual, 7), (settings.stages.audiovisual, 8)):
            stage.epochs = stage.patience = epochs
        # Where a localisation map goes into the logits whole (S1, S2), the rates that suit S3's 64 small shares of it
        # make the first steps a hundred times too long.
        settings.stages.audiovisual.max_gradient_norm = 100.0
    settings.lock()
    return settings


def _paper(variant: str) -> ml_collections.ConfigDict:
    return ml_collections.ConfigDict(
        {
            "preset": "paper",
            "seed": 0,
            "model": {
                "variant": variant,
                "depth": 50,
                "shortcut": "B",
            },
            "data": {
                "path": "",  # shards of data_pipelines.prepare; empty: the demo
                "raw": "",  # raw layout; empty: scored with the annotations in the shards
                "databases": "",  # names with commas between; empty: all
                "split": 1,  # of the paper's three
                "workers": 0,  # processes that read clips; 0: this one
            },
            "init": {
                "kinetics": "",  # .pth or converted directory; empty: from nothing
                "soundnet": "",  # likewise
                "visual": "",  # a trained visual network; empty: the first stage trains one
            },
            "stages": {
                "visual": _stage({"trunk": 0.1, "heads": 0.01, "sound": 0.0, "localization": 0.0}),
                "audiovisual": _stage({"trunk": 0.01, "heads": 0.01, "sound": 0.1, "localization": 1.0}),
            },
            # A paper-faithful run: float32, and 32 clips a statistic: batch_size 32 with global statistics, as below,
            # or batch_size 128 on 4 devices with per-device ones, as the released training had.
            "compute": {
                "dtype": "auto",  # of the trunk: bfloat16 on GPU and TPU, float32 on CPU; or either by name
                "batch_norm": "global",  # or per-device
                "rematerialize": False,  # less memory, a third more work
            },
            "tensorboard": True,  # WORKDIR/<variant>/tensorboard
            "evaluation": {
                "weights": "last",  # as the paper; or best, by validation loss
                "batch_size": 8,
                "pictures": 6,  # rows of the comparison picture
            },
        }
    )


def _stage(group_rates: dict[str, float]) -> dict:
    return {
        "epochs": 60,  # supplement 2.2: usually happened around 60 epochs
        "batch_size": 32,  # at once; BatchNorm statistics are over it. The released training: 32 on each of 4 GPUs
        "effective_batch": 128,  # paper, section 4
        "learning_rate": 0.01,  # the released training's base rate
        "group_rates": group_rates,  # the released training's, over the base rate
        "momentum": 0.9,
        "dampening": 0.9,
        "weight_decay": 1e-5,  # of everything trained, biases and BatchNorm too
        "max_gradient_norm": 0.0,  # the released training clips no gradient
        "patience": 10,  # supplement 2.2: no better loss for 10 epochs
        "save_every": 1,  # epochs between checkpoints
        "save_every_steps": 0,  # and steps between them; 0: epochs alone
        "keep_checkpoints": 2,
        "freeze_upsampling": False,  # the released weights have trained kernels
    }


def demo(settings: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """A copy made small: a synthetic database, few and small clips, rates for a training from nothing."""
    settings = settings.copy_and_resolve_references()
    settings.unlock()
    settings.preset = "demo"
    settings.model.depth = 10
    settings.data.databases = "Synthetic"
    settings.demo = ml_collections.ConfigDict(
        {"train_films": 96, "test_films": 12, "frames": 74, "size": 64}  # size: pixels, of the network's input
    )
    visual, audiovisual = settings.stages.visual, settings.stages.audiovisual
    # Nothing is pretrained here: what would be learns faster than in the paper, what builds on it more gently.
    visual.group_rates.update({"trunk": 0.1, "heads": 0.03})
    audiovisual.group_rates.update({"trunk": 0.1, "heads": 0.003, "sound": 1.0})
    for stage, epochs, batch_size in ((visual, 5, 8), (audiovisual, 12, 4)):
        stage.epochs = stage.patience = epochs
        stage.batch_size = stage.effective_batch = batch_size
        stage.save_every = 5
    settings.lock()
    return settings
