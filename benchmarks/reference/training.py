"""Implements the training step of the audio-visual stage in PyTorch, with the losses and rates of the supplement.

The loss of a clip is 0.1 BCE + 2 CC + 1 NSS. The side outputs of `l3mul-s3` do not count.
"""

import re
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from benchmarks.reference.network import Outputs, TorchStavis

EPSILON = torch.finfo(torch.float32).eps
BASE_RATE = 0.01
RATES = (  # pattern, rate over the base rate; the first pattern found in a parameter's name counts
    (r"^(conv1|bn1|layer\d)\.", 0.01),
    (r"side_prep\.weight", 0.01),
    (r"side_prep\.bias", 0.02),
    (r"(\.score_dsn|upscale_?|^fuse|^fuseav)\.weight", 0.001),
    (r"(\.score_dsn|^fuse|^fuseav)\.bias", 0.002),
    (r"^soundnet8\.", 0.1),
    (r"^fusion3\.", 1.0),
)


def cross_entropy(logits: Tensor, density: Tensor) -> Tensor:
    """Returns the sum over pixels of the cross-entropy against density / 255: [B]."""
    return F.binary_cross_entropy_with_logits(logits, density / 255, reduction="none").sum(dim=(1, 2))


def correlation(logits: Tensor, density: Tensor) -> Tensor:
    """Returns minus Pearson's correlation of sigmoid(logits) and density: [B]."""
    saliency = logits.sigmoid()
    saliency = saliency - saliency.mean(dim=(1, 2), keepdim=True)
    density = density - density.mean(dim=(1, 2), keepdim=True)
    squares = saliency.square().sum(dim=(1, 2)) * (density.square().sum(dim=(1, 2)) + EPSILON)
    return -(saliency * density).sum(dim=(1, 2)) / squares.sqrt()


def nss(logits: Tensor, fixations: Tensor) -> Tensor:
    """Returns minus the mean, over fixated pixels, of the standardised sigmoid(logits): [B].

    The standard deviation is that of the population.
    """
    saliency = logits.sigmoid()
    spread = saliency.std(dim=(1, 2), keepdim=True, correction=0)
    standardised = (saliency - saliency.mean(dim=(1, 2), keepdim=True)) / spread
    return -(standardised * fixations).sum(dim=(1, 2)) / (fixations.sum(dim=(1, 2)) + EPSILON)


def loss(outputs: Outputs, density: Tensor, fixations: Tensor) -> Tensor:
    """Returns the mean loss of the batch."""
    logits = outputs.logits
    terms = cross_entropy(logits, density), correlation(logits, density), nss(logits, fixations)
    return (0.1 * terms[0] + 2 * terms[1] + terms[2]).mean()


def sgd(network: TorchStavis) -> torch.optim.SGD:
    """Returns SGD with a rate for each parameter, momentum and dampening 0.9, and weight decay of all parameters."""
    return torch.optim.SGD(list(_groups(network)), momentum=0.9, dampening=0.9, weight_decay=1e-5)


def _groups(network: TorchStavis) -> Iterator[dict]:
    names = dict(network.named_parameters())
    rates = {name: next(rate for pattern, rate in RATES if re.search(pattern, name)) for name in names}
    for rate in sorted(set(rates.values())):
        yield {"params": [names[name] for name in names if rates[name] == rate], "lr": BASE_RATE * rate}


def training_step(
    network: TorchStavis,
    optimizer: torch.optim.Optimizer,
    clip: Tensor,
    waveform: Tensor,
    density: Tensor,
    fixations: Tensor,
) -> Tensor:
    """Updates a network in training mode once. Returns the loss before the update."""
    optimizer.zero_grad(set_to_none=True)
    value = loss(network(clip, waveform), density, fixations)
    value.backward()
    optimizer.step()
    return value.detach()


def train(
    network: TorchStavis, epochs: int, batches: Sequence[tuple[Tensor, Tensor, Tensor, Tensor]]
) -> list[list[float]]:
    """Trains for whole epochs over the same batches of clip, waveform, density and fixations.

    The rates fall by 10 at half and at three quarters of the epochs, fractions cut off: with 60, they are first used in
    epochs 30 and 45.

    Returns:
      the loss of each batch before its update, for each epoch.
    """
    optimizer = sgd(network.train())
    drops = torch.optim.lr_scheduler.MultiStepLR(optimizer, [int(epochs / 2) - 1, int(3 * epochs / 4) - 1], 0.1)
    losses = []
    for _ in range(epochs):
        losses.append([training_step(network, optimizer, *batch).item() for batch in batches])
        drops.step()
    return losses
