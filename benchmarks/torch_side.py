"""Shared by the workers of PyTorch's side: threads, inputs, and the weights of both sides."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import inputs
from benchmarks.machine import cores
from benchmarks.reference.network import TorchStavis

BATCH_SIZE = 4  # of prediction
torch.set_num_threads(cores())  # as many as XLA's pool has


def load(weights: str) -> TorchStavis:
    """Returns the network in evaluation mode."""
    content = torch.load(Path(weights) / "stavis.pth", weights_only=True)
    network = TorchStavis("l3mul-s3", int(content["arch"].partition("-")[2]))
    network.load_state_dict({key.removeprefix("module."): tensor for key, tensor in content["state_dict"].items()})
    return network.eval()


def clips(batch: int, size: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Returns clip [B, 3, 16, S, S] and waveform [B, 35280]."""
    clip, waveform = inputs.clips(batch, size, seed)
    return channels_first(clip), torch.from_numpy(waveform)


def channels_first(array: np.ndarray) -> Tensor:
    """Returns an array [B, ..., C] as a tensor [B, C, ...]."""
    return torch.from_numpy(array).movedim(-1, 1).contiguous()


def write_weights(folder: str, depth: int, size: int) -> Callable[[], None]:
    """Writes untrained weights with activations of realistic size: FOLDER/stavis.pth and FOLDER/converted.

    BatchNorm takes its statistics from a few clips; otherwise activations would grow from block to block.
    """
    from stavis_jax.weights.conversion import pytorch_to_directory

    def write() -> None:
        torch.manual_seed(0)
        network = TorchStavis("l3mul-s3", depth)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
                module.momentum = 1.0
        clip, waveform = clips(4, size, seed=1)
        with torch.no_grad():
            network.train()(clip, waveform)
        state = {f"module.{key}": tensor for key, tensor in network.state_dict().items()}
        Path(folder).mkdir(parents=True)
        pytorch_file = Path(folder) / "stavis.pth"
        torch.save({"epoch": 1, "arch": f"resnet-{depth}", "state_dict": state}, pytorch_file)
        pytorch_to_directory(pytorch_file, Path(folder) / "converted", "l3mul-s3")

    return write
