"""Weights for both sides: numbers of no meaning, of the size that trained ones have."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from benchmarks import inputs
from benchmarks.reference.network import TorchStavis
from benchmarks.torch_jobs import device
from stavis_jax.convert import pytorch_to_directory

__all__ = ["device", "make"]
PYTORCH_FILE, CONVERTED = "stavis.pth", "converted"


def make(folder: str, depth: int, size: int) -> Callable[[], None]:
    """A call draws a network, lets BatchNorm settle on a few clips, and writes FOLDER/stavis.pth, FOLDER/converted/.

    Without the settling, activations would grow from block to block.
    """

    def write() -> None:
        torch.manual_seed(0)
        network = TorchStavis("l3mul-s3", depth)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
                module.momentum = 1.0
        clip, waveform = (torch.from_numpy(array) for array in inputs.clips(4, size, seed=1))
        with torch.no_grad():
            network.train()(clip.movedim(-1, 1).contiguous(), waveform)
        state = {f"module.{key}": tensor for key, tensor in network.state_dict().items()}
        content = {"epoch": 1, "arch": f"resnet-{depth}", "state_dict": state}
        Path(folder).mkdir(parents=True)
        torch.save(content, Path(folder) / PYTORCH_FILE)
        pytorch_to_directory(Path(folder) / PYTORCH_FILE, Path(folder) / CONVERTED, "l3mul-s3")

    return write
