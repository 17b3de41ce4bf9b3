"""How much memory prediction uses does not change its maps."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from data_pipelines.inputs import windows
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.prediction import frame_stream
from stavis_jax.prediction.api import predict_frames
from stavis_jax.prediction.clip_streams import SharedStemStream
from stavis_jax.prediction.memory_use import OF_COMMANDS, OF_LIBRARY
from stavis_jax.prediction.model import StavisModel
from stavis_jax.weights.flat_names import expected_shapes

ROOT = Path(__file__).parents[3]
CONFIG = NetworkConfig("visual", 10)
SIZE = 32
BATCH = 4
PEAK = """
import hashlib, json, sys
from stavis_jax.cli.process import keep_big_buffers
keep_big_buffers()
import numpy as np
import stavis_jax
from stavis_jax.prediction.memory_use import OF_COMMANDS
model = stavis_jax.load()
model.size = 224
model.memory_use = OF_COMMANDS[sys.argv[1]]
frames = np.random.default_rng(0).integers(0, 256, (24, 224, 224, 3), np.uint8)
maps = stavis_jax.predict_frames(frames, None, 22_050, 25, model)
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([hashlib.sha256(maps.tobytes()).hexdigest(), peak]))
"""


@pytest.fixture(scope="module")
def model() -> StavisModel:
    draw = np.random.default_rng(0)
    shapes = expected_shapes(CONFIG).items()
    return StavisModel(
        CONFIG, {name: draw.uniform(0.01, 0.1, shape).astype(np.float32) for name, shape in shapes}, SIZE
    )


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (11, SIZE, SIZE, 3), np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("stride", [1, 3])
def test_maps_are_the_same_however_much_memory_is_used(model, frames, stride):
    maps = {}
    for use in (OF_LIBRARY, *OF_COMMANDS.values()):
        model.memory_use = use
        maps[use] = predict_frames(frames, None, 22_050, 25, model, batch_size=BATCH, stride=stride)
    for other in maps.values():
        np.testing.assert_array_equal(other, maps[OF_LIBRARY])


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the memory is glibc's")
def test_low_memory_has_a_lower_peak_and_the_same_maps():
    def maps_and_peak(use: str) -> list:
        run = [sys.executable, "-c", PEAK, use]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return json.loads(subprocess.run(run, env=environment, capture_output=True, check=True).stdout)

    maps_and_peak("low")  # compiles
    (maps, peak), (same_maps, low_peak) = maps_and_peak("normal"), maps_and_peak("low")
    assert maps == same_maps
    assert low_peak < peak


@pytest.mark.slow
def test_freed_memory_goes_back_after_every_batch_and_at_the_films_end(model, frames, monkeypatch):
    trims = []
    monkeypatch.setattr(frame_stream, "give_back_freed_memory", lambda: trims.append(1))
    counts = {}
    for name, use in {"library": OF_LIBRARY, **OF_COMMANDS}.items():
        trims.clear()
        model.memory_use = use
        predict_frames(frames, None, 22_050, 25, model, batch_size=BATCH)
        counts[name] = len(trims)
    assert counts["library"] == 0
    assert 1 <= counts["normal"] < counts["low"]


@pytest.mark.slow
def test_clips_that_are_not_wanted_are_not_computed(model, monkeypatch):
    stream = SharedStemStream(model, BATCH, 1)
    for seed in range(6):
        stream.feed(np.random.default_rng(seed).integers(0, 256, (BATCH, SIZE, SIZE, 3), np.uint8))
    computed = []
    after_stem = stream._after_stem
    monkeypatch.setattr(stream, "_after_stem", lambda *inputs: computed.append(1) or after_stem(*inputs))
    waveforms = np.zeros((BATCH, windows.WAVEFORM_SAMPLES), np.float32)
    some = np.asarray(stream.predict(waveforms, range(1, 3)).saliency)
    assert len(computed) == 2
    again = SharedStemStream(model, BATCH, 1)
    for seed in range(6):
        again.feed(np.random.default_rng(seed).integers(0, 256, (BATCH, SIZE, SIZE, 3), np.uint8))
    np.testing.assert_array_equal(some[1:3], np.asarray(again.predict(waveforms).saliency)[1:3])
