"""PyTorch's side of every comparison: functions that make a job, for contestant.py. jax_jobs.py is the other side."""

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks import inputs
from benchmarks.machine import cores
from benchmarks.reference import prediction as torch_prediction
from benchmarks.reference import training as torch_training
from benchmarks.reference.network import TorchStavis

BATCH_SIZE = 4  # of prediction

ON_GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if ON_GPU else "cpu")
# As many threads as cores this process may use, as XLA's pool has.
torch.set_num_threads(cores())
torch.backends.cudnn.benchmark = True
torch.backends.cudnn.allow_tf32 = False  # float32 means float32 on both sides; bfloat16 is a row of its own


def device() -> dict[str, str]:
    kind = torch.cuda.get_device_name() if ON_GPU else "cpu"
    return {"platform": "gpu" if ON_GPU else "cpu", "kind": kind, "threads": str(torch.get_num_threads())}


def idle() -> Callable[[], None]:
    """Nothing: to ask what device there is."""
    return lambda: None


def forward(weights: str, batch: int, size: int, dtype: str = "float32") -> Callable[[], torch.Tensor]:
    """Logits of a batch of clips."""
    network, (clip, waveform) = load(weights), clips(batch, size)

    def job() -> torch.Tensor:
        with torch.inference_mode(), precision(dtype):
            return finished(network(clip, waveform).logits)

    return job


def training(weights: str, batch: int, size: int, dtype: str = "float32") -> Callable[[], torch.Tensor]:
    """Loss, gradients and update; the loss is returned."""
    network, (clip, waveform) = load(weights).train(), clips(batch, size)
    density, fixations = (torch.from_numpy(array).to(DEVICE) for array in inputs.maps(batch, size))
    optimizer = torch_training.sgd(network)

    def job() -> torch.Tensor:
        with precision(dtype):
            return finished(torch_training.training_step(network, optimizer, clip, waveform, density, fixations))

    return job


def dense(weights: str, num_frames: int, size: int) -> Callable[[], Any]:
    """A map for every frame of a film that is in memory."""
    network, (frames, sound) = load(weights), inputs.film(num_frames, size)
    return lambda: torch_prediction.predict_frames(network, frames, sound, inputs.FRAME_RATE_HZ, BATCH_SIZE)


def first_map(weights: str, size: int) -> Callable[[], Any]:
    """The first maps of a film, a batch of them."""
    return dense(weights, BATCH_SIZE, size)


def film(weights: str, frames: str, sound: str, path: str, size: int) -> Callable[[], None]:
    """A film's extracted frames to maps on disk, as the original does it; `path` is for the other side."""
    network = load(weights)

    def job() -> None:
        with tempfile.TemporaryDirectory() as folder:
            torch_prediction.predict_raw_film(network, Path(frames), Path(sound), Path(folder), size, BATCH_SIZE)

    return job


def load(weights: str) -> TorchStavis:
    """The network in scoring mode on its device."""
    content = torch.load(Path(weights) / "stavis.pth", weights_only=True)
    network = TorchStavis("l3mul-s3", int(content["arch"].partition("-")[2]))
    network.load_state_dict({key.removeprefix("module."): tensor for key, tensor in content["state_dict"].items()})
    return network.eval().to(DEVICE)


def clips(batch: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Clip [B, 3, 16, S, S] and waveform on the device."""
    clip, waveform = (torch.from_numpy(array).to(DEVICE) for array in inputs.clips(batch, size))
    return clip.movedim(-1, 1).contiguous(), waveform


def precision(dtype: str) -> contextlib.AbstractContextManager:
    if dtype == "float32":
        return contextlib.nullcontext()
    return torch.autocast(DEVICE.type, getattr(torch, dtype))


def finished(tensor: torch.Tensor) -> torch.Tensor:
    """The same on the host, once it is there."""
    return tensor.float().cpu()
