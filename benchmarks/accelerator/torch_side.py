"""The same in PyTorch, our own implementation of the network: eager and compiled, as PyTorch users tune it.

Weights and clips lie channels last; bfloat16 is autocast's.
"""

import contextlib
import functools
import gc
import time
from collections.abc import Sequence

import torch

from benchmarks import inputs
from benchmarks.accelerator import subjects
from benchmarks.accelerator.figures import failure, figure
from benchmarks.accelerator.timing import seconds_of
from benchmarks.reference import prediction, training
from benchmarks.reference.network import Outputs, TorchStavis

ON_GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if ON_GPU else "cpu")


def training_step(
    tell,
    *,
    variant: str,
    dtype: str,
    clips: int,
    depth: int,
    size: int,
    compiler: str = "",
    tf32: bool = False,
    seconds: float = 1.5,
) -> None:
    """Times loss, gradients and update; `visual` adds the losses of the side maps, as ours does.

    compiler: backend of torch.compile; "": eager.
    """
    name = f"training step, {variant}, {_format(dtype, tf32)}, {clips} clips, {_how(compiler)}"
    network = _network(variant, depth, tf32).train()
    optimizer = training.sgd(network)
    arrays = subjects.batch(clips, size)
    clip, waveform = _clip(arrays), torch.from_numpy(arrays["waveform"]).to(DEVICE)
    density, fixations = (torch.from_numpy(arrays[key]).to(DEVICE) for key in ("density", "fixations"))

    def objective() -> torch.Tensor:
        outputs = network(clip, waveform)
        sides = [outputs._replace(logits=side) for side in outputs.side_logits] if variant == "visual" else []
        of_sides = [subjects.SIDE_WEIGHT * training.loss(side, density, fixations) for side in sides]
        return sum(of_sides, training.loss(outputs, density, fixations))

    objective = torch.compile(objective, backend=compiler) if compiler else objective

    def step() -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        with _autocast(dtype):
            value = objective()
        value.backward()
        optimizer.step()
        return value.detach()

    _measure(tell, name, "training step", step, variant, clips, depth, size, seconds)


def forward(
    tell,
    *,
    variant: str,
    dtype: str,
    clips: Sequence[int],
    depth: int,
    size: int,
    compiler: str = "",
    tf32: bool = False,
    seconds: float = 1.0,
) -> None:
    """Logits at each batch size, inputs on the device."""
    network = _network(variant, depth, tf32)
    run = torch.compile(network, dynamic=False, backend=compiler) if compiler else network
    for count in clips:
        name = f"forward, {variant}, {_format(dtype, tf32)}, {count} clips, {_how(compiler)}"
        try:
            arrays = subjects.batch(count, size)
            clip, waveform = _clip(arrays), torch.from_numpy(arrays["waveform"]).to(DEVICE)

            def score(clip=clip, waveform=waveform) -> torch.Tensor:
                with torch.inference_mode(), _autocast(dtype):
                    return run(clip, waveform).logits

            _measure(tell, name, "forward", score, variant, count, depth, size, seconds)
        except Exception as error:  # the other sizes may work
            tell(failure(name, error))


def dense(
    tell, *, variant: str, dtype: str, clips: int, frames: int, depth: int, size: int, tf32: bool = False
) -> None:
    """Maps a second of a film in memory, every map from a whole clip, as the original goes about it."""
    network = _network(variant, depth, tf32)
    film, sound = inputs.film(frames, size)
    predict = functools.partial(
        prediction.predict_frames, network, film, sound, inputs.FRAME_RATE_HZ, batch_size=clips
    )
    with _autocast(dtype):
        predict()
        begin = time.perf_counter()
        predict()
        took = time.perf_counter() - begin
    name = f"dense prediction, {variant}, {_format(dtype, tf32)}, {clips} clips, eager"
    tell(figure(name, frames / took, "maps/s", frames=frames))


def _measure(tell, name, job, step, variant, clips, depth, size, seconds) -> None:
    if ON_GPU:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    begin = time.perf_counter()
    first = float(step().float().mean())
    compile_seconds = time.perf_counter() - begin
    took = seconds_of(step, lambda _: torch.cuda.synchronize() if ON_GPU else None, seconds)
    kind = torch.cuda.get_device_name() if ON_GPU else "cpu"
    detail = subjects.rates(job, variant, clips, took.median, kind, depth, size)
    detail |= {"spread": took.spread, "compile_s": compile_seconds, "loss" if job == "training step" else "mean": first}
    if ON_GPU:
        detail["GB"] = torch.cuda.max_memory_allocated() / 1e9
    tell(figure(name, clips / took.median, "clips/s", **detail))
    gc.collect()


def _network(variant: str, depth: int, tf32: bool) -> TorchStavis:
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
    network = TorchStavis(variant, depth)
    network.load_state_dict({key: torch.tensor(array) for key, array in subjects.torch_state(depth).items()})
    network = network.eval().to(DEVICE)
    for layer in network.modules():  # SoundNet's and the heads' 2D kernels stay as they are
        if isinstance(layer, torch.nn.Conv3d):
            layer.to(memory_format=torch.channels_last_3d)
    network.register_forward_hook(_as_float32)
    if not ON_GPU:  # there autocast has no rule for bilinear layers
        network.fusion3.forward = _without_autocast(network.fusion3.forward)
    return network


def _as_float32(_network, _inputs, outputs: Outputs) -> Outputs:
    """Of logits that autocast left in bfloat16: losses and maps are float32 on both sides."""
    return Outputs(outputs.logits.float(), tuple(side.float() for side in outputs.side_logits))


def _without_autocast(forward):
    def in_float32(*inputs: torch.Tensor) -> torch.Tensor:
        with torch.autocast(DEVICE.type, enabled=False):
            return forward(*(each.float() for each in inputs))

    return in_float32


def _clip(arrays: dict) -> torch.Tensor:
    """[B, 3, 16, S, S]: [B, 16, S, S, 3] seen the other way round is channels last."""
    return torch.from_numpy(arrays["clip"]).to(DEVICE).movedim(-1, 1)


def _autocast(dtype: str) -> contextlib.AbstractContextManager:
    return contextlib.nullcontext() if dtype == "float32" else torch.autocast(DEVICE.type, getattr(torch, dtype))


def _how(compiler: str) -> str:
    return f"compiled by {compiler}" if compiler else "eager"


def _format(dtype: str, tf32: bool) -> str:
    return "TF32" if tf32 and dtype == "float32" else dtype
