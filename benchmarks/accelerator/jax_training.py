"""Measures our training step as training/loop.py compiles it: clips a second, memory, compile time, a profile."""

import gc
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.accelerator import subjects, trace
from benchmarks.accelerator.figures import figure
from benchmarks.accelerator.jax_network import config_of, device_weights, form_of
from benchmarks.accelerator.subjects import Setting
from benchmarks.accelerator.timing import seconds_of
from benchmarks.training_stage import STEPS_PER_EPOCH, stage_settings
from stavis_jax.training import step
from stavis_jax.training.batches.device_films import DeviceFilms
from stavis_jax.training.batches.network_inputs import HOST_KEYS
from stavis_jax.training.compute import Compute
from stavis_jax.training.devices import DataParallel
from stavis_jax.training.first_state import first_state
from stavis_jax.training.state_layout import place_state
from stavis_jax.weights.flat_names import network_from

LARGEST_TRACE = 15 * 2**20  # bytes; larger traces are not kept


class TrainingStep:
    """A compiled training step with its state. Call it with a batch on the device to get the mean losses."""

    def __init__(
        self, setting: Setting, batch: Mapping[str, np.ndarray] | None = None, films: DeviceFilms | None = None
    ):
        """Compiles the step.

        Args:
          setting: the network and the number of clips.
          batch: one like those that the step will be given; None for `setting.batch()`.
          films: films on the device, from which the batches' clips are gathered.
        """
        self.devices = DataParallel(jax.devices()[:1])
        network = network_from(config_of(setting), device_weights(setting), form_of(setting))
        Compute(setting.stored).configure(network, 1)
        constants, state = first_state(network, stage_settings(setting.variant, setting.clips), STEPS_PER_EPOCH)
        self.state = place_state(state, self.devices)
        self.films = films.arrays if films else {}
        self.batch = self.devices.split_batch(
            {name: array for name, array in (batch or setting.batch()).items() if name not in HOST_KEYS}
        )
        self.side_weight = jnp.float32(subjects.SIDE_WEIGHT)
        begin = time.perf_counter()
        with jax.default_matmul_precision(setting.precision):
            train_step = step.compiled_train_step(constants, self.devices, self.state, films)
            lowered = train_step.lower(self.state, self.films, self.batch, self.side_weight)
        self.lower_seconds = time.perf_counter() - begin
        self.compiled = lowered.compile()
        self.compile_seconds = time.perf_counter() - begin - self.lower_seconds

    def __call__(self, batch=None) -> dict[str, jax.Array]:
        batch = self.batch if batch is None else batch
        self.state, values = self.compiled(self.state, self.films, batch, self.side_weight)
        return values


def training_step(tell, *, setting: Setting, profile: str = "") -> None:
    """Reports clips a second, and the loss of the first step, which shows whether two runs compute the same.

    Args:
      tell: takes the figures.
      setting: the network and the batch.
      profile: folder for the trace of one step, whose slowest operations are reported too; "" for no profile.
    """
    name = f"training step, {setting.name}"
    work = TrainingStep(setting)
    loss = float(work()["loss"])
    took = seconds_of(work, jax.block_until_ready, setting.seconds)
    detail = setting.rates("training step", took.median, jax.devices()[0].device_kind)
    detail |= {"spread": took.spread, "compile_s": work.compile_seconds, "lower_s": work.lower_seconds}
    detail |= _memory(work.compiled)
    tell(figure(name, setting.clips / took.median, "clips/s", **detail, loss=loss, **_layouts(work)))
    if profile:
        _profile(tell, name, work, Path(profile))
    del work
    gc.collect()


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
