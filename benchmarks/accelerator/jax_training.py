"""Measures our training step, compiled as training/loop.py does: clips a second, memory, compile time, a profile."""

import functools
import gc
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.accelerator import rewrites as forms
from benchmarks.accelerator import subjects, trace
from benchmarks.accelerator.figures import figure
from benchmarks.accelerator.jax_network import FORM, config_of, device_weights
from benchmarks.accelerator.subjects import Setting
from benchmarks.accelerator.timing import seconds_of
from stavis_jax.configs import av
from stavis_jax.training import optimizer, step
from stavis_jax.training.compute import Compute
from stavis_jax.training.devices import DataParallel
from stavis_jax.training.network_inputs import HOST_KEYS
from stavis_jax.weights.flat_names import network_from

LARGEST_TRACE = 15 * 2**20  # bytes; larger traces are not kept
LEAST_GAIN = 1.02  # a smaller gain may be noise

# (clips a batch, rewrites): clips a second, as measured in this process
_speeds: dict[tuple[int, tuple[str, ...]], float] = {}


class TrainingStep:
    """A compiled training step with its state. Call it with a batch on the device to get the mean losses."""

    def __init__(self, setting: Setting, batch: Mapping[str, np.ndarray] | None = None):
        """`batch` is one like those that the step will be given, by default `setting.batch()`."""
        stage = "visual" if setting.variant == "visual" else "audiovisual"
        recipe = av.get_config().stages[stage]
        make_optimizer = functools.partial(
            optimizer.sgd,
            recipe.learning_rate,
            momentum=recipe.momentum,
            dampening=recipe.dampening,
            weight_decay=recipe.weight_decay,
        )
        self.devices = DataParallel(jax.devices()[:1])
        network = network_from(config_of(setting), device_weights(setting), FORM)
        Compute(setting.stored).configure(network, 1)
        rates = recipe.group_rates.to_dict()
        job, state = step.create(network, make_optimizer, rates, effective_batch=setting.clips)
        self.state, self.job = self.devices.replicate(state), job
        self.batch = self.devices.split_batch(
            {name: array for name, array in (batch or setting.batch()).items() if name not in HOST_KEYS}
        )
        self.side_weight = jnp.float32(subjects.SIDE_WEIGHT)
        begin = time.perf_counter()
        train_step = jax.jit(
            functools.partial(step.train_step, job), donate_argnums=0, out_shardings=self.devices.everywhere
        )
        with jax.default_matmul_precision(setting.precision):
            lowered = train_step.lower(self.state, self.batch, self.side_weight)
        self.lower_seconds = time.perf_counter() - begin
        self.compiled = lowered.compile()
        self.compile_seconds = time.perf_counter() - begin - self.lower_seconds

    def __call__(self, batch=None) -> dict[str, jax.Array]:
        self.state, values = self.compiled(self.state, self.batch if batch is None else batch, self.side_weight)
        return values


def training_step(tell, *, setting: Setting, rewrites: Sequence[str] = (), profile: str = "") -> None:
    """Reports clips a second, and the loss of the first step, which shows whether two runs compute the same.

    Args:
      tell: takes the figures.
      setting: the network and the batch.
      rewrites: names of rewrites.NAMES to use.
      profile: folder for the trace of one step, whose slowest operations are reported too; "" for no profile.
    """
    name = ", ".join(["training step", setting.name, *rewrites])
    with forms.applied(rewrites):
        work = TrainingStep(setting)
        loss = float(work()["loss"])
        took = seconds_of(work, jax.block_until_ready, setting.seconds)
        speed = _speeds[setting.clips, tuple(rewrites)] = setting.clips / took.median
        detail = setting.rates("training step", took.median, jax.devices()[0].device_kind)
        detail |= {"spread": took.spread, "compile_s": work.compile_seconds, "lower_s": work.lower_seconds}
        tell(figure(name, speed, "clips/s", **detail, **_memory(work.compiled), loss=loss, **_layouts(work)))
        if profile:
            _profile(tell, name, work, Path(profile))
        del work
    gc.collect()


def rewrites_that_help(tell, *, setting: Setting) -> None:
    """Measures the combination of all rewrites that made the step faster when measured one by one in this process."""
    alone = {names[0]: speed for (clips, names), speed in _speeds.items() if clips == setting.clips and len(names) == 1}
    helping = [name for name, speed in alone.items() if speed > LEAST_GAIN * _speeds[setting.clips, ()]]
    if len(helping) < 2:
        tell(figure("rewrites that help", len(helping), names=" ".join(helping)))
    else:
        training_step(tell, setting=setting, rewrites=helping)


def _memory(compiled) -> dict[str, float]:
    """Returns the GB that the compiled program needs, and the peak of this process so far.

    An earlier program of this process may have caused the peak.
    """
    found = {}
    if needs := compiled.memory_analysis():
        total = needs.argument_size_in_bytes + needs.output_size_in_bytes + needs.temp_size_in_bytes
        found["GB"] = (total - needs.alias_size_in_bytes) / 1e9
    if stats := jax.devices()[0].memory_stats():
        found["peak_GB_of_process"] = stats["peak_bytes_in_use"] / 1e9
    return found


def _layouts(work: TrainingStep) -> dict[str, str]:
    """Counts a GPU's convolution calls by layout, and the transposes."""
    text = work.compiled.as_text()
    calls = [line for line in text.splitlines() if "dim_labels=" in line]
    if not calls:
        return {}
    labels = Counter(re.search(r"dim_labels=([^,\s]+)", line)[1].split("_")[0] for line in calls)
    transposes = len(re.findall(r"^\s*%\S*transpose\S* = ", text, re.MULTILINE))
    return {"convolutions": " ".join(f"{count}x{label}" for label, count in labels.items()), "transposes": transposes}


def _profile(tell, name: str, work: TrainingStep, output: Path) -> None:
    """Traces one step, and reports the operations and the kinds of operations that take the most time."""
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            begin = time.perf_counter()
            jax.block_until_ready(work())
            seconds = time.perf_counter() - begin
        written = [*Path(folder).rglob("*.trace.json.gz"), *Path(folder).rglob("*.xplane.pb")]
        if written[0].stat().st_size <= LARGEST_TRACE:
            output.mkdir(parents=True, exist_ok=True)
            shutil.copy(written[0], output / f"step{''.join(written[0].suffixes[-3:])}")
        operations = trace.operations(written[0])
    total = sum(operation.milliseconds for operation in operations)
    tell(figure(f"profile, {name}: all operations", total, "ms", step_ms=1e3 * seconds, operations=len(operations)))
    text = work.compiled.as_text()
    for title, rows in (("operation", operations), ("kind", trace.by_kind(operations))):
        for number, row in enumerate(rows[:10], start=1):
            source = {"makes": where} if title == "operation" and (where := trace.origin(row.name, text)) else {}
            detail = {"share": row.milliseconds / total, "times": row.times, **source}
            tell(figure(f"profile, {title} {number}: {row.name}", row.milliseconds, "ms", **detail))
