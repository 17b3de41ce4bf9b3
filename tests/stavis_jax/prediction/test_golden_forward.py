"""Compares forward passes with the authors' PyTorch code, layer by layer and whole. Tolerances: golden/README.md."""

import functools
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stavis_jax
from stavis_jax.maps.pictures import saliency_picture
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.ops.backend_form import BackendForm
from stavis_jax.ops.pooling import max_pool3d
from stavis_jax.ops.video import lay_out, scale_by_map, time_mean
from stavis_jax.weights.conversion import pytorch_to_directory
from stavis_jax.weights.flat_names import network_from
from stavis_jax.weights.loading import load_weights

GOLDEN = Path(__file__).parents[2] / "golden"
CASES = json.loads((GOLDEN / "forward.json").read_text())["cases"]
ARRAYS = np.load(GOLDEN / "forward.npz")
LAYERED = [name for name, case in CASES.items() if "stem_slice" in case["arrays"]]
SMALL = [name for name, case in CASES.items() if case["depth"] < 50 and case["sample_size"] < 112]
CONTAINERS = {0: "zip", 1: "legacy", 2: "cuda", 3: "zip"}  # by seed, so that each is read somewhere

LOGITS_ATOL = 2e-4  # float32; PyTorch against itself in float64: 2.3e-5
LAYER_ATOL = 1e-4  # 1.0e-5
FUSION_ATOL = 2e-4  # values up to 10; 2.4e-5
ATTENTION_RTOL = 5e-5  # of the largest; 6.7e-6


def variant_of(case: dict) -> str:
    return "l3mul-s3" if case["audiovisual"] else "visual"


@pytest.fixture(scope="module")
def checkpoint_of(write_golden_checkpoint):
    """Returns the checkpoint file of a case."""

    def find(case: dict) -> Path:
        spec = f"audiovisual_resnet{case['depth']}" + ("_shortcutA" if case["shortcut"] == "A" else "")
        seed = case["weights_seed"]
        return write_golden_checkpoint(spec, seed, case["variant"], CONTAINERS[seed])

    return find


@pytest.fixture(scope="module")
def inputs_of(golden_inputs):
    def make(case: dict) -> tuple[np.ndarray, np.ndarray]:
        clip, waveform = golden_inputs(case["input_seed"], case["sample_size"])
        return clip, np.zeros_like(waveform) if case["audio_silent"] else waveform

    return make


@pytest.fixture(scope="module")
def outputs_of(checkpoint_of, inputs_of):
    """Returns the outputs of `stavis_jax.load` and a call for a case."""

    @functools.cache
    def run(name: str) -> stavis_jax.Outputs:
        case = CASES[name]
        model = stavis_jax.load(checkpoint_of(case), variant_of(case))
        assert (model.depth, model.config.shortcut) == (case["depth"], case["shortcut"])
        return jax.device_get(model(*inputs_of(case)))

    return run


@functools.partial(jax.jit, static_argnums=0)
def every_layer(config: NetworkConfig, weights: dict, clip: jax.Array, waveform: jax.Array) -> dict[str, jax.Array]:
    """Returns the intermediate results under the names of golden/README.md."""
    network, layers = network_from(config, weights, BackendForm.for_platform("cpu")), {}

    def stage(number: int, name: str, video):
        layers[name] = jnp.stack(video, axis=1)
        saliency = getattr(network, f"attention{number}")(video)
        layers[f"side{number}"], layers[f"att{number}"] = saliency.features, saliency.attention
        return scale_by_map(video, 1 + saliency.attention)

    x = stage(1, "stem", network.trunk.stem(lay_out(clip, "frames"), False))
    x = max_pool3d(x, network.form.max_pool)
    layers["maxpool"] = jnp.stack(x, axis=1)
    x = stage(2, "layer1", network.trunk.layer1(x, False))
    x = network.trunk.layer2(x, False)
    layers["soundnet"] = network.soundnet(waveform, False)
    layers["fusion"] = network.localization(*network.hidden(time_mean(x, 1, 3), layers["soundnet"]))
    x = stage(3, "layer2", x)
    stage(4, "layer3", network.trunk.layer3(x, False))
    return layers


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERED)
def test_every_layer_is_the_authors(name, checkpoint_of, inputs_of):
    case = CASES[name]
    weights, info = load_weights(checkpoint_of(case), "l3mul-s3")
    layers = jax.device_get(every_layer(info.network_config(), weights, *inputs_of(case)))
    for layer in ("stem", "maxpool", "layer1", "layer2", "layer3"):  # in this order: the first red one is the culprit
        video = layers[layer].astype(np.float64)
        slices = video[:, :2, :7, :7, :8].transpose(0, 4, 1, 2, 3)
        for what, ours in {
            "slice": slices,
            "mean": video.mean(axis=(0, 1, 2, 3)),
            "std": video.std(axis=(0, 1, 2, 3)),
        }.items():
            theirs = ARRAYS[f"{name}/{layer}_{what}"]
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=LAYER_ATOL, err_msg=f"{layer} {what}")
    np.testing.assert_allclose(layers["soundnet"], ARRAYS[f"{name}/soundnet"], rtol=0, atol=LAYER_ATOL)
    for number in range(1, 5):
        features = layers[f"side{number}"].transpose(0, 3, 1, 2)
        np.testing.assert_allclose(features, ARRAYS[f"{name}/side{number}"], rtol=0, atol=LAYER_ATOL)
        attention = ARRAYS[f"{name}/att{number}"][:, 0]
        atol = ATTENTION_RTOL * attention.max()
        np.testing.assert_allclose(layers[f"att{number}"], attention, rtol=0, atol=atol)
    located = layers["fusion"].transpose(0, 3, 1, 2)
    np.testing.assert_allclose(located, ARRAYS[f"{name}/fusion"], rtol=0, atol=FUSION_ATOL)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_logits_are_the_authors(name, outputs_of):
    outputs = outputs_of(name)
    np.testing.assert_allclose(outputs.logits, ARRAYS[f"{name}/map"][:, 0], rtol=0, atol=LOGITS_ATOL)
    side_names = [f"{name}/out{number}" for number in range(1, 5) if f"{name}/out{number}" in ARRAYS]
    assert len(side_names) == len(outputs.side_logits)
    for side_name, side_logits in zip(side_names, outputs.side_logits, strict=True):
        np.testing.assert_allclose(side_logits, ARRAYS[side_name][:, 0], rtol=0, atol=LOGITS_ATOL)


@pytest.mark.slow
def test_attention_and_localization_of_a_call_are_the_authors(outputs_of):
    outputs = outputs_of("av50_s0")
    for number, ours in enumerate(outputs.attention, start=1):
        attention = ARRAYS[f"av50_s0/att{number}"][:, 0]
        np.testing.assert_allclose(ours, attention, rtol=0, atol=ATTENTION_RTOL * attention.max())
    located = outputs.localization.transpose(0, 3, 1, 2)
    np.testing.assert_allclose(located, ARRAYS["av50_s0/fusion"], rtol=0, atol=FUSION_ATOL)


@pytest.mark.slow
def test_pictures_are_the_authors(outputs_of):
    saliency = jax.nn.sigmoid(outputs_of("av50_s0").logits)
    ours = np.stack([saliency_picture(np.asarray(saliency_map)) for saliency_map in saliency]).astype(int)
    difference = np.abs(ours - ARRAYS["av50_s0/u8"])
    assert difference.max() <= 1  # a level
    assert np.mean(difference > 0) < 1e-3  # of the pixels


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["gpu", "tpu"])
@pytest.mark.parametrize("name", SMALL)
def test_the_accelerators_forms_give_the_authors_logits_too(name, platform, checkpoint_of, inputs_of):
    case, form = CASES[name], BackendForm.for_platform(platform, scoring=True)
    model = stavis_jax.load(checkpoint_of(case), variant_of(case), form=form)
    ours = model.saliency_logits(*inputs_of(case))
    np.testing.assert_allclose(ours, ARRAYS[f"{name}/map"][:, 0], rtol=0, atol=LOGITS_ATOL)


@pytest.mark.slow
def test_one_clip_gives_what_it_gives_in_a_batch_and_through_a_converted_directory(tmp_path, checkpoint_of, inputs_of):
    case = CASES["av10_size64_s0"]
    pytorch_to_directory(checkpoint_of(case), tmp_path / "converted")
    model = stavis_jax.load(tmp_path / "converted")
    clip, waveform = inputs_of(case)
    logits = model.saliency_logits(clip[:1], waveform[:1])
    assert logits.shape == (1, 64, 64)
    np.testing.assert_allclose(logits, ARRAYS["av10_size64_s0/map"][:1, 0], rtol=0, atol=LOGITS_ATOL)
