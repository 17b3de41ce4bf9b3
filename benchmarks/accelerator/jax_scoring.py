"""Our network in scoring mode: equal to the authors' numbers? Clips a second, and maps a second of a film in memory."""

import contextlib
import dataclasses
import functools
import gc
import json
import time
from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import expit

from benchmarks import inputs
from benchmarks.accelerator import subjects
from benchmarks.accelerator.figures import failure, figure
from benchmarks.accelerator.subjects import Setting
from benchmarks.accelerator.timing import seconds_of
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.prediction import clip_streams
from stavis_jax.prediction.api import predict_frames
from stavis_jax.prediction.model import SaliencyModel
from stavis_jax.weights.flat_names import expected_shapes, network_from

LOGITS_ATOL = 2e-4  # the golden tests' own


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def logits(config: NetworkConfig, dtype: str, precision: str, weights: dict, clip: jax.Array, waveform: jax.Array):
    """[B, H, W]; the trunk computes in `dtype`, as a training on an accelerator does."""
    with jax.default_matmul_precision(precision):
        network = network_from(config, weights)
        network.trunk.dtype = jnp.dtype(dtype)
        return network(clip, waveform, layout="array").logits


def parity(tell, *, cases: Sequence[str], others: Sequence[str]) -> None:
    """Golden cases in float32, as `stavis_jax.load` scores; then in each dtype of `others`.

    Tells the worst difference to the authors' logits, and the least correlation of maps with the float32 ones.
    """
    golden = np.load(subjects.GOLDEN / "forward.npz")
    told = json.loads((subjects.GOLDEN / "forward.json").read_text())["cases"]
    ours = {}
    for name in cases:
        try:
            model, clip, waveform = _golden_case(told[name])
            ours[name] = np.asarray(model.saliency_logits(clip, waveform))
            worst = float(np.abs(ours[name] - golden[f"{name}/map"][:, 0]).max())
            tell(figure(f"parity, {name}: logits off by", worst, allowed=LOGITS_ATOL, met=str(worst <= LOGITS_ATOL)))
        except Exception as error:  # the other cases may work
            tell(failure(f"parity, {name}", error))
    for other in others:
        setting = Setting(dtype=other)
        for name in ours:
            model, clip, waveform = _golden_case(told[name])
            found = np.asarray(logits(model.config, setting.stored, setting.precision, model.weights, clip, waveform))
            worst = float(np.abs(found - golden[f"{name}/map"][:, 0]).max())
            alike = [
                np.corrcoef(expit(a).ravel(), expit(b).ravel())[0, 1] for a, b in zip(found, ours[name], strict=True)
            ]
            tell(figure(f"parity, {name}, {other}: CC of maps", float(min(alike)), logits_off_by=worst))


def _golden_case(case: dict) -> tuple[SaliencyModel, np.ndarray, np.ndarray]:
    weights = subjects.weights(case["depth"], case["shortcut"], case["weights_seed"], case["variant"])
    config = NetworkConfig("l3mul-s3" if case["audiovisual"] else "visual", case["depth"], case["shortcut"])
    clip = subjects.formulas().clip(case["input_seed"], case["batch"], case["frames"], case["sample_size"])
    waveform = subjects.formulas().audio(case["input_seed"], case["batch"])[:, 0, 0]
    silent = 0 if case["audio_silent"] else 1
    model = SaliencyModel(config, weights, case["sample_size"])
    return model, np.ascontiguousarray(np.moveaxis(clip, 1, -1)), np.float32(silent) * waveform


def forward(tell, *, setting: Setting, batches: Sequence[int]) -> None:
    """Clips a second at each batch size, inputs on the device."""
    config = NetworkConfig(setting.variant, setting.depth)
    weights = {name: jnp.asarray(subjects.weights(setting.depth)[name]) for name in expected_shapes(config)}
    for clips in batches:
        this = dataclasses.replace(setting, clips=clips)
        name = f"forward, {this.name}"
        try:
            batch = this.batch()
            clip, waveform = jnp.asarray(batch["clip"]), jnp.asarray(batch["waveform"])
            call = functools.partial(logits, config, this.stored, this.precision, weights, clip, waveform)
            begin = time.perf_counter()
            jax.block_until_ready(call())
            first = time.perf_counter() - begin
            took = seconds_of(call, jax.block_until_ready, this.seconds)
            detail = this.rates("forward", took.median, jax.devices()[0].device_kind)
            tell(figure(name, clips / took.median, "clips/s", **detail, spread=took.spread, compile_s=first))
        except Exception as error:  # the other sizes may work
            tell(failure(name, error))
    gc.collect()


def dense(tell, *, setting: Setting, frames: int, shared_stem: bool = True) -> None:
    """Maps a second of a film in memory, one for every frame, the second time that it is done."""
    model = SaliencyModel(NetworkConfig(setting.variant, setting.depth), subjects.weights(setting.depth), setting.size)
    film, sound = inputs.film(frames, setting.size)
    rates = inputs.SAMPLE_RATE_HZ, inputs.FRAME_RATE_HZ
    seconds = []
    with _scoring_in(setting.stored), _with_stream(shared_stem):
        for _ in range(2):
            begin = time.perf_counter()
            predict_frames(film, sound, *rates, model, batch_size=setting.clips)
            seconds.append(time.perf_counter() - begin)
    name = f"dense prediction, {setting.name}, {'shared stem' if shared_stem else 'clip by clip'}"
    tell(figure(name, frames / seconds[1], "maps/s", frames=frames, first_run_s=seconds[0]))
    gc.collect()


@contextlib.contextmanager
def _scoring_in(dtype: str) -> Iterator[None]:
    """Networks that clip_streams makes compute their trunk in `dtype`: the project has no setting for it."""

    def of_type(config, weights):
        network = network_from(config, weights)
        network.trunk.dtype = jnp.dtype(dtype)
        return network

    yield from _replaced("network_from", of_type)


@contextlib.contextmanager
def _with_stream(shared_stem: bool) -> Iterator[None]:
    yield from _replaced("LARGEST_SHARED_STRIDE", clip_streams.LARGEST_SHARED_STRIDE if shared_stem else 0)


def _replaced(name: str, form) -> Iterator[None]:
    plain = getattr(clip_streams, name)
    jax.clear_caches()
    setattr(clip_streams, name, form)
    try:
        yield
    finally:
        setattr(clip_streams, name, plain)
        jax.clear_caches()
