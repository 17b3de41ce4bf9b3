"""Measures PyTorch with our PyTorch implementation of the network, eager and compiled.

It is tuned as PyTorch users do it: 3D convolutions and clips are channels last, cuDNN chooses the fastest algorithms,
and bfloat16 comes from autocast.
"""

import contextlib
import dataclasses
import gc
import time
from collections.abc import Callable, Sequence

import torch

from benchmarks import inputs
from benchmarks.accelerator import subjects
from benchmarks.accelerator.figures import failure, figure
from benchmarks.accelerator.subjects import Setting
from benchmarks.accelerator.timing import seconds_of
from benchmarks.reference import prediction, training
from benchmarks.reference.network import Outputs, TorchStavis

ON_GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if ON_GPU else "cpu")


def training_step(tell, *, setting: Setting, compiler: str = "") -> None:
    """Reports clips a second of loss, gradients and update. `visual` adds the losses of the side maps, as ours does.

    compiler: backend of torch.compile, or "" for eager.
    """
    network = _network(setting).train()
    optimizer = training.sgd(network)
    arrays = setting.batch()
    clip, waveform = _clip(arrays), torch.from_numpy(arrays["waveform"]).to(DEVICE)
    density, fixations = (torch.from_numpy(arrays[key]).to(DEVICE) for key in ("density", "fixations"))

    def objective() -> torch.Tensor:
        outputs = network(clip, waveform)
        sides = outputs.side_logits if setting.variant == "visual" else ()
        of_sides = [training.loss(outputs._replace(logits=side), density, fixations) for side in sides]
        return training.loss(outputs, density, fixations) + subjects.SIDE_WEIGHT * sum(of_sides)

    objective = torch.compile(objective, backend=compiler) if compiler else objective

    def step() -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        with _autocast(setting):
            value = objective()
        value.backward()
        optimizer.step()
        return value.detach()

    _measure(tell, "training step", setting, compiler, step)


def forward(tell, *, setting: Setting, batches: Sequence[int], compiler: str = "") -> None:
    """Reports clips a second for each batch size. The inputs are on the device."""
    network = _network(setting)
    run = torch.compile(network, dynamic=False, backend=compiler) if compiler else network
    for clips in batches:
        this = dataclasses.replace(setting, clips=clips)
        try:
            arrays = this.batch()
            clip, waveform = _clip(arrays), torch.from_numpy(arrays["waveform"]).to(DEVICE)

            def score(clip=clip, waveform=waveform) -> torch.Tensor:
                with torch.inference_mode(), _autocast(setting):
                    return run(clip, waveform).logits

            _measure(tell, "forward", this, compiler, score)
        except Exception as error:  # the other sizes may work
            tell(failure(f"forward, {this.name}", error))


def dense(tell, *, setting: Setting, frames: int) -> None:
    """Reports maps a second of a film in memory. Every map comes from a whole clip, as in the original."""
    network = _network(setting)
    film, sound = inputs.film(frames, setting.size)
    with _autocast(setting):
        for _ in range(2):
            begin = time.perf_counter()
            prediction.predict_frames(network, film, sound, inputs.FRAME_RATE_HZ, setting.clips)
            seconds = time.perf_counter() - begin
    tell(figure(f"dense prediction, {setting.name}, eager", frames / seconds, "maps/s", frames=frames))


def _measure(tell, job: str, setting: Setting, compiler: str, step: Callable[[], torch.Tensor]) -> None:
    if ON_GPU:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    begin = time.perf_counter()
    first = float(step().float().mean())
    compile_seconds = time.perf_counter() - begin
    took = seconds_of(step, lambda _: torch.cuda.synchronize() if ON_GPU else None, setting.seconds)
    detail = setting.rates(job, took.median, torch.cuda.get_device_name() if ON_GPU else "cpu")
    detail |= {"spread": took.spread, "compile_s": compile_seconds, "loss" if job == "training step" else "mean": first}
    if ON_GPU:
        detail["GB"] = torch.cuda.max_memory_allocated() / 1e9
    how = f"compiled by {compiler}" if compiler else "eager"
    tell(figure(f"{job}, {setting.name}, {how}", setting.clips / took.median, "clips/s", **detail))
    gc.collect()


def _network(setting: Setting) -> TorchStavis:
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = setting.dtype == "TF32"
    network = TorchStavis(setting.variant, setting.depth)
    network.load_state_dict({key: torch.tensor(array) for key, array in subjects.torch_state(setting.depth).items()})
    network = network.eval().to(DEVICE)
    for layer in network.modules():  # 2D kernels of SoundNet and the heads stay channels first
        if isinstance(layer, torch.nn.Conv3d):
            layer.to(memory_format=torch.channels_last_3d)
    network.register_forward_hook(_as_float32)
    if not ON_GPU:  # autocast has no rule for bilinear layers on a CPU
        network.fusion3.forward = _without_autocast(network.fusion3.forward)
    return network


def _as_float32(_network, _inputs, outputs: Outputs) -> Outputs:
    """Converts logits that autocast left in bfloat16. Losses and maps are float32 on both sides."""
    return Outputs(outputs.logits.float(), tuple(side.float() for side in outputs.side_logits))


def _without_autocast(forward):
    def in_float32(*inputs: torch.Tensor) -> torch.Tensor:
        with torch.autocast(DEVICE.type, enabled=False):
            return forward(*(each.float() for each in inputs))

    return in_float32


def _clip(arrays: dict) -> torch.Tensor:
    """Returns the clip [B, 3, 16, S, S], in memory as [B, 16, S, S, 3], which is channels last."""
    return torch.from_numpy(arrays["clip"]).to(DEVICE).movedim(-1, 1)


def _autocast(setting: Setting) -> contextlib.AbstractContextManager:
    if setting.stored == "float32":
        return contextlib.nullcontext()
    return torch.autocast(DEVICE.type, getattr(torch, setting.stored))
