"""Trains the starter network on single frames in PyTorch, which is several times as fast as JAX on a CPU.

  python -m tools.starter.train_flat --data SHARDS --output RUN

SHARDS hold OSIE, SaliencyInCrowd and MadePictures, prepared at 112 pixels. A sixth of each batch has real gaze. RUN is
a directory that stavis_jax loads. The settings are those of stavis_jax/configs/starter.py, with the additional changes
of pictures in tools/starter/flat_changes.py. Needs torch.
"""

import argparse
import copy
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import ml_collections
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from data_pipelines.clips.augmentation import Augmentation
from data_pipelines.clips.source import Clips, open_clips
from data_pipelines.runtime.command import command
from stavis_jax.configs import starter
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.weights.directory import WeightsInfo, save_weights
from tools.starter.flat_changes import Batch, changed, normalised
from tools.starter.flat_network import FlatVisual, to_flat_weights
from tools.starter.raw_pictures import REAL

REAL_SHARE = 0.16  # of a batch, from the databases with real gaze
WARM_UP = 100  # steps in which the rate rises
REPORT_SECONDS = 60.0

Arrays = Mapping[str, np.ndarray]


@command
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="SHARDS", help="prepared stills")
    parser.add_argument(
        "--real", nargs="+", default=REAL, metavar="NAME", help=f"databases with real gaze (default: {' '.join(REAL)})"
    )
    parser.add_argument("--made", default="MadePictures", help="database of made pictures (default: MadePictures)")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="directory to write")
    parser.add_argument("--steps", type=int, default=5_000, help="steps of 32 pictures (default: 5000)")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default: 0)")
    options = parser.parse_args(argv)
    real, made = (
        pictures_of(open_clips(options.data, "train", 1, None, names)) for names in (options.real, [options.made])
    )
    tested = pictures_of(open_clips(options.data, "test", 1, None, options.real[:1]))
    network = train(real, made, tested, options.steps, options.seed)
    info = WeightsInfo.of_network(NetworkConfig("visual", 10), source="tools.starter.train_flat")
    save_weights(options.output, to_flat_weights(network.state_dict()), info, overwrite=True)


def pictures_of(clips: Clips) -> Arrays:
    """Returns "picture" uint8 [N, S, S, 3] and "density" uint8 [N, S, S] of N stills."""
    size, number = clips.shards.size, len(clips)
    arrays = {
        "clip": np.empty((number, 1, size, size, 3), np.uint8),
        "density": np.empty((number, size, size), np.uint8),
        "fixations": np.empty((number, size, size), np.uint8),
    }
    for index in range(number):
        clips.fill({name: array[index] for name, array in arrays.items()}, index, [1])
    return {"picture": arrays["clip"][:, 0], "density": arrays["density"]}


def train(real: Arrays, made: Arrays, tested: Arrays, steps: int, seed: int) -> FlatVisual:
    """Trains a network and returns it with averaged weights. Scores the test pictures for the log only."""
    config = starter.get_config()
    settings, how = config.stages.visual, Augmentation(**config.data.augmentation)
    torch.manual_seed(seed)
    draw = np.random.default_rng(seed)
    network = FlatVisual().to(memory_format=torch.channels_last).train()
    mean = copy.deepcopy(network).eval()
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)
    begin = shown = time.time()
    for step in range(1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * rate_at(step, steps)
        batch = changed(drawn_batch(real, made, settings.batch_size, draw), how)
        logits, sides = network(batch.pictures)
        loss = loss_of(logits, batch.densities, settings.loss_weights)
        for side in sides:
            loss = loss + (1 - step / steps) * loss_of(side, batch.densities, settings.loss_weights)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, settings.max_gradient_norm)
        optimizer.step()
        move_mean(mean, network, min(settings.average, (1 + step) / (10 + step)))
        if time.time() - shown > REPORT_SECONDS or step == steps:
            shown = time.time()
            speed = step * settings.batch_size / (shown - begin)
            print(f"step {step} of {steps}  {speed:.0f} pictures/s  CC {score(mean, tested):.3f}", flush=True)
    return mean


def rate_at(step: int, steps: int) -> float:
    """Returns the share of the largest rate at a step: it rises in WARM_UP steps, and falls as half a cosine."""
    return min(step / WARM_UP, 1) * 0.5 * (1 + math.cos(math.pi * step / steps))


def drawn_batch(real: Arrays, made: Arrays, size: int, draw: np.random.Generator) -> Batch:
    """Returns random pictures, a share of them real."""
    counts = {round(REAL_SHARE * size): real, size - round(REAL_SHARE * size): made}
    rows = [(arrays, draw.integers(0, len(arrays["density"]), count)) for count, arrays in counts.items()]
    pictures, densities = (
        torch.from_numpy(np.concatenate([arrays[name][row] for arrays, row in rows])).float()
        for name in ("picture", "density")
    )
    return Batch(pictures.permute(0, 3, 1, 2), normalised(densities))


def loss_of(logits: torch.Tensor, densities: torch.Tensor, weights: ml_collections.ConfigDict) -> torch.Tensor:
    """Returns the mean loss of maps [B, S, S], with the terms of stavis_jax.training.losses.

    The NSS is the expected one of gaze with these densities.
    """
    levels = densities / densities.amax((1, 2), keepdim=True).clamp(min=1e-9)
    cross_entropy = F.binary_cross_entropy_with_logits(logits, levels, reduction="none").sum((1, 2))
    saliency = torch.sigmoid(logits)
    deviation = saliency - saliency.mean((1, 2), keepdim=True)
    nss = (deviation * densities).sum((1, 2)) / (deviation.square().mean((1, 2)) + 1e-12).sqrt()
    correlations = correlation(logits, densities)
    return (weights.cross_entropy * cross_entropy - weights.correlation * correlations - weights.nss * nss).mean()


def correlation(logits: torch.Tensor, density: torch.Tensor) -> torch.Tensor:
    """Returns Pearson's correlation of sigmoid(logits) with densities, [B]."""
    a, b = (x - x.mean((1, 2), keepdim=True) for x in (torch.sigmoid(logits), density))
    return (a * b).sum((1, 2)) / (a.square().sum((1, 2)) * b.square().sum((1, 2)) + 1e-9).sqrt()


@torch.no_grad()
def move_mean(mean: FlatVisual, network: FlatVisual, decay: float) -> None:
    """Moves the mean of the weights and of the statistics towards the network's."""
    for ours, theirs in zip(mean.state_dict().values(), network.state_dict().values(), strict=True):
        if ours.is_floating_point():
            ours.lerp_(theirs, 1 - decay)


@torch.inference_mode()
def score(network: FlatVisual, tested: Arrays) -> float:
    """Returns the mean CC on whole pictures, at the network's resolution."""
    values = []
    for first in range(0, len(tested["density"]), 25):
        part = {name: torch.from_numpy(array[first : first + 25]).float() for name, array in tested.items()}
        values.append(correlation(network(part["picture"].permute(0, 3, 1, 2))[0], part["density"]))
    return float(torch.cat(values).mean())


if __name__ == "__main__":
    main()
