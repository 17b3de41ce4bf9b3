"""The PyTorch network stage by stage, on made-up features; jax_stages.py is the other side."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from benchmarks.reference.network import TorchStavis, attend
from benchmarks.stage_inputs import stage_inputs
from benchmarks.torch_jobs import DEVICE, device, load

__all__ = ["device", "matmul", "stage"]


def stage(weights: str, name: str, batch: int, size: int) -> Callable[[], Any]:
    """A stage of stage_inputs.STAGES."""
    network = load(weights)
    features = [_channels_first(x) for x in stage_inputs(name, network.depth, batch, size)]

    def job() -> Tensor:
        with torch.inference_mode():
            return _finished(_run(network, name, features, size))

    return job


def matmul(size: int) -> Callable[[], Any]:
    """A product of square float32 matrices: the machine's peak, as PyTorch gets it."""
    matrix = torch.randn(size, size, device=DEVICE)
    return lambda: _finished(matrix @ matrix)


def _channels_first(array) -> Tensor:
    tensor = torch.from_numpy(array).to(DEVICE)
    return tensor.movedim(-1, 1).contiguous() if tensor.ndim > 2 else tensor


def _finished(tensor: Tensor) -> Tensor:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return tensor


def _run(network: TorchStavis, name: str, features: list[Tensor], size: int) -> Tensor:
    if name == "stem":
        return network.stem(*features)
    if name.startswith("layer"):
        return getattr(network, name)(*features)
    if name.startswith("attention"):
        (x,) = features
        attention = network.score_dsn[int(name[-1]) - 1].attention(x)[2]
        if name == "attention4":
            return attention
        attended = attend(x, attention)
        return network.maxpool(attended) if name == "attention1" else attended
    if name == "sound":
        return network.sound(*features)
    *saliency, middle, sound = features
    modules = network.score_dsn
    full = [module.upsampled(x, x[:, :1], (size, size)) for module, x in zip(modules, saliency, strict=True)]
    located = F.interpolate(network.fusion3(middle, sound), size=(size, size), mode="bilinear", align_corners=False)
    return network.fuseav(torch.cat([*(features for features, _ in full), located], dim=1))
