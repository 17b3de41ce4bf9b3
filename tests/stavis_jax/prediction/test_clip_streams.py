"""Streams that share the stem between clips predict what the network predicts clip by clip."""

import collections
import functools
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pytest

from data_pipelines.inputs import windows
from stavis_jax.models import shared_stem
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.ops.backend_form import BackendForm
from stavis_jax.prediction.api import predict_frames
from stavis_jax.prediction.clip_streams import ClipByClipStream, SharedStemBatchStream, SharedStemStream, clip_stream
from stavis_jax.prediction.model import StavisModel
from stavis_jax.prediction.programs import ClipPredictions
from stavis_jax.weights.flat_names import new_network, read_network

SIZE = 32
ATOL = 1e-4  # of logits: float32, the stem's sums in another order, through the whole network
FPS = 25.0
BATCH = 2  # of all tests: fewer programs to compile


def model_of(variant: str, form: BackendForm | None = None) -> StavisModel:
    config = NetworkConfig(variant, 10)
    weights = read_network(new_network(config, seed=3))
    draw = np.random.default_rng(4)
    for name, array in weights.items():  # starting values say -6 everywhere
        if name.endswith("bn1/var"):
            weights[name] = draw.uniform(0.5, 2, array.shape).astype(np.float32)
        if "side_prep/kernel" in name or "score/kernel" in name or "fuse" in name:
            weights[name] = (0.05 * draw.normal(size=array.shape)).astype(np.float32)
    return StavisModel(config, weights, SIZE, form=form)


@pytest.fixture(scope="module")
def listening() -> StavisModel:
    return model_of("l3mul-s3")


@pytest.fixture(scope="module")
def accelerated() -> StavisModel:
    return model_of("l3mul-s3", BackendForm.for_platform("gpu", scoring=True))


def film(num_frames: int, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return draw.integers(0, 256, (num_frames, SIZE, SIZE, 3), np.uint8)


def sound(num_frames: int) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 60, round(num_frames / FPS * 22_050)).astype(np.float32)


def assert_same(one: ClipPredictions, other: ClipPredictions) -> None:
    assert np.ptp(np.asarray(other.saliency)) > 0.02
    np.testing.assert_allclose(one.saliency, other.saliency, atol=ATOL / 4)
    np.testing.assert_allclose(one.localization, other.localization, atol=ATOL)
    for maps, others in zip(one.attention, other.attention, strict=True):
        np.testing.assert_allclose(maps, others, atol=ATOL)


def test_a_steps_kind_tells_how_many_taps_fall_outside_the_clip():
    for step in range(windows.CLIP_FRAMES):
        lacking = [k for k in range(7) if not 0 <= step + k - 3 < windows.CLIP_FRAMES]
        first, last = sum(k < 3 for k in lacking), sum(k > 3 for k in lacking)
        assert shared_stem.kind_of(step) == (3 - first if first else 3 + last)


@pytest.mark.slow
@pytest.mark.parametrize("stride", [1, 3])
def test_sharing_the_stem_changes_nothing(listening, stride):
    num_clips, length = BATCH, windows.CLIP_FRAMES + 3 + 5 * BATCH * stride
    frames = film(length - length % (num_clips * stride))
    shared, plain = (form(listening, num_clips, stride) for form in (SharedStemStream, ClipByClipStream))
    waveforms = np.random.default_rng(2).normal(0, 50, (num_clips, windows.WAVEFORM_SAMPLES)).astype(np.float32)
    for block in np.split(frames, len(frames) // (num_clips * stride)):
        shared.feed(block)
    plain.feed(frames[: len(frames) - shared.lag])
    assert_same(shared.predict(waveforms), plain.predict(waveforms))


@pytest.mark.slow
@pytest.mark.parametrize("stride", [1, 3])
def test_in_the_accelerators_form_sharing_the_stem_changes_nothing_either(accelerated, stride):
    """All clips of a batch then go through the network at once, as arrays [B, T, H, W, C]."""
    assert not any(isinstance(array, tuple) for array in accelerated.device_weights.values())
    shared, plain = (form(accelerated, BATCH, stride) for form in (SharedStemBatchStream, ClipByClipStream))
    frames = film(12 * BATCH * stride)
    for block in np.split(frames, 12):
        shared.feed(block)
        plain.feed(block)
    waveforms = np.random.default_rng(2).normal(0, 50, (BATCH, windows.WAVEFORM_SAMPLES)).astype(np.float32)
    assert_same(shared.predict(waveforms), plain.predict(waveforms))
    more = film(BATCH * stride, seed=1)
    shared.feed(more)
    plain.feed(more)
    assert_same(shared.predict(waveforms[::-1]), plain.predict(waveforms[::-1]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stride", "program"), [(1, "predict_next_clips"), (3, "predict_next_clips"), (20, "predict_clips")]
)
def test_a_batch_costs_an_accelerator_one_call_of_a_program(accelerated, tmp_path, stride, program):
    """Each call takes a GPU's host as long as the device needs for a map, and so does each operation outside of jit."""

    def predict(num_batches: int) -> None:
        frames = film(num_batches * BATCH * stride)
        predict_frames(frames, sound(len(frames)), 22_050, FPS, accelerated, batch_size=BATCH, stride=stride)

    few, many = (traced_calls(functools.partial(predict, number), tmp_path / str(number)) for number in (4, 9))
    assert many - few == {program: 5, "transfer": 2 * 5}  # frames and sound
    assert few.total() - 3 * few[program] <= 3  # zeros before the first batch


def traced_calls(function: Callable[[], None], folder: Path) -> collections.Counter[str]:
    """Counts the calls of compiled functions by name, and the transfers to the device, when all is compiled."""
    once = jax.jit(lambda: 0)
    function(), once()
    options = jax.profiler.ProfileOptions()
    options.python_tracer_level = 0
    with jax.profiler.trace(folder, profiler_options=options):
        function(), once()
    (trace,) = folder.rglob("*.trace.json.gz")
    names = [event.get("name", "") for event in json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]]
    calls = collections.Counter(name[len("PjitFunction(") : -1] for name in names if name.startswith("PjitFunction("))
    events_a_call = calls.pop("<lambda>")
    counts = {name: count // events_a_call for name, count in calls.items()}
    return collections.Counter(counts | {"transfer": names.count("DevicePut")})


@pytest.mark.slow
def test_every_map_of_a_film_is_that_of_its_clip(listening):
    num_frames = 21
    frames, waveform = film(num_frames), sound(num_frames)
    maps = predict_frames(frames, waveform, 22_050, FPS, listening, batch_size=BATCH)
    for target in (0, 5, 12, num_frames - 1):
        indices = np.arange(target - 7, target + 9).clip(0, num_frames - 1)
        begin, _ = windows.sound_limits(indices[0] + 1, FPS, 22_050, len(waveform))
        _, end = windows.sound_limits(indices[-1] + 1, FPS, 22_050, len(waveform))
        clip = windows.subtract_mean(frames[indices])[None]
        logits = listening(clip, windows.waveform(waveform[begin : end + 1])[None]).logits[0]
        np.testing.assert_allclose(maps[target], 1 / (1 + np.exp(-np.asarray(logits))), atol=ATOL / 4)


@pytest.mark.slow
def test_a_network_that_does_not_hear_needs_no_sound():
    model = model_of("visual")
    with_sound, without = (
        predict_frames(film(5), heard, 22_050, FPS, model, batch_size=BATCH) for heard in (sound(5), None)
    )
    np.testing.assert_array_equal(with_sound, without)


def test_clips_far_apart_and_other_models_are_predicted_clip_by_clip(listening, accelerated):
    assert isinstance(clip_stream(accelerated, 4, 1), SharedStemBatchStream)
    assert isinstance(clip_stream(accelerated, 4, 8), ClipByClipStream)
    assert isinstance(clip_stream(listening, 4, 1), SharedStemStream)
    assert isinstance(clip_stream(listening, 4, 8), ClipByClipStream)
    assert isinstance(clip_stream(lambda clip, waveform: None, 4, 1), ClipByClipStream)


@pytest.mark.slow
def test_maps_between_predicted_frames_are_between_theirs(listening):
    num_frames = 12
    frames, waveform = film(num_frames), sound(num_frames)
    every, third = (
        predict_frames(frames, waveform, 22_050, FPS, listening, batch_size=BATCH, stride=stride) for stride in (1, 3)
    )
    np.testing.assert_allclose(third[[0, 3, 6, 9]], every[[0, 3, 6, 9]], atol=ATOL / 4)
    np.testing.assert_allclose(third[4], (2 * every[3] + every[6]) / 3, atol=ATOL / 4)
    assert len(third) == num_frames and np.isfinite(third).all()
