"""Measures our network in scoring mode: agreement with the authors' numbers, and clips a second."""

import dataclasses
import functools
import gc
import json
import time
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import expit

from benchmarks.accelerator import subjects
from benchmarks.accelerator.figures import failure, figure
from benchmarks.accelerator.jax_network import config_of, device_weights, form_of
from benchmarks.accelerator.subjects import Setting
from benchmarks.accelerator.timing import seconds_of
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.prediction import programs
from stavis_jax.prediction.model import StavisModel

LOGITS_ATOL = 2e-4  # tolerance of the golden tests


def parity(tell, *, cases: Sequence[str], others: Sequence[str]) -> None:
    """Compares golden cases with the authors' logits, in float32 and in each dtype of `others`.

    Reports the largest difference of the logits. For `others` also reports the lowest correlation (CC) of a map with
    the float32 map of the same clip.
    """
    golden = np.load(subjects.GOLDEN / "forward.npz")
    described = json.loads((subjects.GOLDEN / "forward.json").read_text())["cases"]
    ours = {}
    for name in cases:
        try:
            ours[name] = _logits(described[name], "float32")
            worst = float(np.abs(ours[name] - golden[f"{name}/map"][:, 0]).max())
            tell(figure(f"parity, {name}: logits off by", worst, allowed=LOGITS_ATOL, met=str(worst <= LOGITS_ATOL)))
        except Exception as error:  # the other cases may work
            tell(failure(f"parity, {name}", error))
    for other in others:
        for name in ours:
            found = _logits(described[name], other)
            worst = float(np.abs(found - golden[f"{name}/map"][:, 0]).max())
            pairs = zip(expit(found), expit(ours[name]), strict=True)
            lowest = min(float(np.corrcoef(a.ravel(), b.ravel())[0, 1]) for a, b in pairs)
            tell(figure(f"parity, {name}, {other}: CC of maps", lowest, logits_off_by=worst))


def _logits(case: dict, dtype: str) -> np.ndarray:
    """Returns our logits of a golden case, [B, H, W]."""
    weights = subjects.weights(case["depth"], case["shortcut"], case["weights_seed"], case["variant"])
    config = NetworkConfig("l3mul-s3" if case["audiovisual"] else "visual", case["depth"], case["shortcut"])
    clip = subjects.formulas().clip(case["input_seed"], case["batch"], case["frames"], case["sample_size"])
    waveform = subjects.formulas().audio(case["input_seed"], case["batch"])[:, 0, 0]
    loudness = 0 if case["audio_silent"] else 1
    form = form_of(Setting(dtype=dtype), scoring=True)
    model = StavisModel(config, weights, case["sample_size"], form=form, dtype=dtype)
    clip = np.ascontiguousarray(np.moveaxis(clip, 1, -1))
    return np.asarray(model.saliency_logits(clip, np.float32(loudness) * waveform))


def forward(tell, *, setting: Setting, batches: Sequence[int]) -> None:
    """Measures the scoring program with inputs on the device. Reports clips per second for each batch size."""
    weights = device_weights(setting)
    for clips in batches:
        setting = dataclasses.replace(setting, clips=clips)
        name = f"forward, {setting.name}"
        try:
            batch = setting.batch()
            clip, waveform = jnp.asarray(batch["clip"]), jnp.asarray(batch["waveform"])
            form = form_of(setting, scoring=True)
            arguments = config_of(setting), form, weights, clip, waveform
            call = functools.partial(programs.logits, *arguments, dtype=setting.stored)
            begin = time.perf_counter()
            jax.block_until_ready(call())
            first = time.perf_counter() - begin
            took = seconds_of(call, jax.block_until_ready, setting.seconds)
            detail = setting.rates("forward", took.median, jax.devices()[0].device_kind)
            tell(figure(name, clips / took.median, "clips/s", **detail, spread=took.spread, compile_s=first))
        except Exception as error:  # the other sizes may work
            tell(failure(name, error))
    gc.collect()
