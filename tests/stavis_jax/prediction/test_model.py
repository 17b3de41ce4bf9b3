import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stavis_jax
from data_pipelines.runtime.errors import UserError
from stavis_jax.models.soundnet import FEWEST_SAMPLES
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.prediction import programs
from stavis_jax.weights.conversion import pytorch_to_directory
from stavis_jax.weights.directory import read_weights, save_weights

SPEC = "audiovisual_resnet10"
ATOL = 1e-4  # float32: other shapes sum in another order
SAMPLES = 35_280


@pytest.fixture(scope="module")
def checkpoint(write_golden_checkpoint):
    return write_golden_checkpoint(SPEC)


@pytest.fixture(scope="module")
def models(checkpoint):
    return {variant: stavis_jax.load(checkpoint, variant) for variant in ("visual", "l3mul-s3")}


def example(batch: int, height: int = 16, width: int = 16, samples: int = SAMPLES, frames: int = 4):
    """Returns a small random clip and waveform."""
    draw = np.random.default_rng(0).uniform
    clip = draw(-100, 150, (batch, frames, height, width, 3)).astype(np.float32)
    return clip, draw(-200, 200, (batch, samples)).astype(np.float32)


def test_model_tells_what_it_is(models):
    model = models["l3mul-s3"]
    assert (model.variant, model.depth, model.size) == ("l3mul-s3", 10, 112)
    assert model.config == NetworkConfig("l3mul-s3", 10, "B")
    assert all(isinstance(model, stavis_jax.SaliencyModel) for model in models.values())
    assert not isinstance(object(), stavis_jax.SaliencyModel)


def test_numpy_comes_in_and_jax_goes_out(models):
    outputs = models["l3mul-s3"](*example(2))
    assert all(isinstance(leaf, jax.Array) and leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(outputs))
    assert outputs.logits.shape == (2, 16, 16)
    assert outputs.side_logits == ()
    assert [attention.shape for attention in outputs.attention] == [(2, n, n) for n in (8, 4, 2, 1)]
    assert outputs.localization.shape == (2, 2, 2, 64)


@pytest.mark.slow
def test_logits_alone_are_those_of_a_call(models):
    inputs = example(2)
    model = models["l3mul-s3"]
    np.testing.assert_allclose(model.saliency_logits(*inputs), model(*inputs).logits, rtol=0, atol=ATOL)


@pytest.mark.slow
def test_a_clip_gives_the_same_alone_and_in_a_batch(models):
    clip, waveform = example(2)
    together = models["l3mul-s3"].saliency_logits(clip, waveform)
    alone = models["l3mul-s3"].saliency_logits(clip[1:], waveform[1:])
    np.testing.assert_allclose(alone[0], together[1], rtol=0, atol=ATOL)


def test_visual_model_hears_nothing(models):
    clip, waveform = example(2)
    outputs = models["visual"](clip, waveform)
    assert len(outputs.side_logits) == 4 and outputs.localization is None
    np.testing.assert_array_equal(outputs.logits, models["visual"](clip, None).logits)
    np.testing.assert_array_equal(outputs.logits, models["visual"](clip, waveform[:, :10]).logits)


def test_audiovisual_model_hears_something(models):
    clip, waveform = example(2)
    with_sound = models["l3mul-s3"].saliency_logits(clip, waveform)
    assert np.abs(with_sound - models["l3mul-s3"].saliency_logits(clip, np.zeros_like(waveform))).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("samples", [FEWEST_SAMPLES, 100_000])
def test_other_lengths_of_sound_work(samples, models):
    logits = models["l3mul-s3"].saliency_logits(*example(1, samples=samples))
    assert np.isfinite(logits).all()


def test_other_sizes_and_lengths_of_film_work(models):
    outputs = models["visual"](example(1, height=24, width=45, frames=8)[0], None)
    assert outputs.logits.shape == (1, 24, 45)
    assert all(side_logits.shape == (1, 24, 45) for side_logits in outputs.side_logits)
    assert np.isfinite(outputs.logits).all()


def test_factors_are_not_rounded_to_fewer_bits_on_accelerators(models):
    model = models["l3mul-s3"]
    program = str(programs.outputs.compiled().trace(model.config, model.form, model.device_weights, *example(1)).jaxpr)
    products = program.count("conv_general_dilated[") + program.count("dot_general[")
    assert products > 20
    assert (
        program.count("precision=(Precision.HIGHEST, Precision.HIGHEST)") + program.count("precision=Precision.HIGHEST")
        == products
    )


@pytest.mark.slow
def test_bfloat16_is_that_of_the_trunk_alone(checkpoint, models):
    model = stavis_jax.load(checkpoint, "l3mul-s3", dtype="bfloat16")
    assert (model.dtype, models["l3mul-s3"].dtype) == (jnp.bfloat16, jnp.float32)
    assert all(array.dtype == jnp.float32 for array in jax.tree.leaves(model.device_weights))
    assert model.identity() == models["l3mul-s3"].identity() | {"dtype": "bfloat16"}
    inputs = example(2)
    ours, exact = model(*inputs), models["l3mul-s3"](*inputs)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(ours))
    rounding = np.abs(ours.logits - exact.logits).max()
    assert 0 < rounding < 0.05 * np.ptp(exact.logits)
    np.testing.assert_allclose(model.saliency_logits(*inputs), ours.logits, rtol=0, atol=rounding)


def test_bfloat16_is_not_computed_by_differences_of_frames(checkpoint):
    model = stavis_jax.load(checkpoint, dtype="bfloat16")
    assert model.form == stavis_jax.BackendForm.for_platform("cpu") != stavis_jax.load(checkpoint).form


def test_an_unknown_number_format_is_told_with_the_known_ones(checkpoint):
    with pytest.raises(ValueError, match="number format 'float16' is not one of auto, float32, bfloat16"):
        stavis_jax.load(checkpoint, dtype="float16")


def test_batches_are_larger_on_accelerators(checkpoint, monkeypatch):
    assert stavis_jax.load(checkpoint).batch_size == 4
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    assert stavis_jax.load(checkpoint).batch_size == 32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda clip, waveform: (clip[0], waveform), r"clip: shape \(4, 16, 16, 3\), expected \[B, T, H, W, 3\]"),
        (lambda clip, waveform: (np.moveaxis(clip, -1, 1), waveform), r"clip: shape .*expected \[B, T, H, W, 3\]"),
        (lambda clip, waveform: (clip.astype(np.uint8), waveform), "clip: uint8, expected float32, pixels minus"),
        (lambda clip, waveform: (clip[:0], waveform[:0]), r"clip: shape \(0, 4"),
        (lambda clip, waveform: (clip, None), r"waveform: shape \(\), l3mul-s3 expects \[B, S\] with the clip's B = 2"),
        (lambda clip, waveform: (clip, waveform[:1]), r"waveform: shape \(1, 35280\)"),
        (lambda clip, waveform: (clip, waveform[:, :9000]), r"waveform: shape \(2, 9000\).*S >= 12766. Pad"),
        (lambda clip, waveform: (clip, waveform.astype(np.int16)), "waveform: int16, expected float32"),
    ],
)
def test_wrong_arguments_are_one_clear_line(change, message, models):
    with pytest.raises(ValueError, match=message) as error:
        models["l3mul-s3"](*change(*example(2)))
    assert "\n" not in str(error.value)


def test_double_precision_is_taken_as_single(models):
    clip, waveform = example(2)
    doubles = models["l3mul-s3"].saliency_logits(clip.astype(np.float64), waveform.astype(np.float64))
    np.testing.assert_array_equal(doubles, models["l3mul-s3"].saliency_logits(clip, waveform))


def test_directory_gives_the_model_that_the_file_gives(checkpoint, models, tmp_path):
    pytorch_to_directory(checkpoint, tmp_path / "converted")
    inputs = example(2)
    ours = stavis_jax.load(tmp_path / "converted").saliency_logits(*inputs)
    np.testing.assert_array_equal(ours, models["l3mul-s3"].saliency_logits(*inputs))


def test_variant_of_a_directory_can_be_chosen(checkpoint, models, tmp_path):
    pytorch_to_directory(checkpoint, tmp_path / "converted", "visual")
    assert stavis_jax.load(tmp_path / "converted").variant == "visual"
    assert stavis_jax.load(tmp_path / "converted", "l3mul-s3").variant == "l3mul-s3"


def test_visual_weights_cannot_be_run_with_sound(checkpoint, tmp_path):
    pytorch_to_directory(checkpoint, tmp_path / "full", "visual")
    weights, info = read_weights(tmp_path / "full")
    visual = {name: array for name, array in weights.items() if not name.startswith(("soundnet/", "fuseav/"))}
    damaged = {name: array for name, array in weights.items() if not name.startswith("fuseav/")}
    save_weights(tmp_path / "run" / "visual" / "best", visual, info)
    assert stavis_jax.load(tmp_path / "run").variant == "visual"
    with pytest.raises(UserError, match=r"best: l3mul-s3 needs sound, and this network sees the picture only\."):
        stavis_jax.load(tmp_path / "run" / "visual" / "best", "l3mul-s3")
    save_weights(tmp_path / "damaged", damaged, info)
    with pytest.raises(UserError, match=r"damaged: l3mul-s3 needs arrays that are missing: fuseav/conv/bias"):
        stavis_jax.load(tmp_path / "damaged", "l3mul-s3")


def test_the_starter_is_loaded_by_default():
    model = stavis_jax.load()
    assert (model.variant, model.depth, model.size, model.uses_sound) == ("visual", 10, 112, False)
    assert model.identity() == stavis_jax.load("starter").identity()
    with pytest.raises(UserError, match=r"^starter: l3mul-s3 needs sound, and this network sees the picture only\."):
        stavis_jax.load(variant="l3mul-s3")


def test_arrays_of_another_depth_are_refused(checkpoint, tmp_path):
    pytorch_to_directory(checkpoint, tmp_path / "converted")
    weights, _ = read_weights(tmp_path / "converted")
    weights["hidden/visual/kernel"] = np.ones((512, 128), np.float32)
    with pytest.raises(UserError, match="shapes of these arrays do not fit l3mul-s3: hidden/visual/kernel"):
        stavis_jax.StavisModel(NetworkConfig("l3mul-s3", 10), weights)


@pytest.mark.slow
@pytest.mark.parametrize(("spec", "holds"), [("kinetics_resnet50", "a classifier"), ("soundnet8", "SoundNet")])
def test_backbone_alone_cannot_predict(spec, holds, write_golden_checkpoint):
    with pytest.raises(
        UserError, match=rf"holds {holds}, which has no saliency heads. .*, but not predict. Give a STAViS"
    ):
        stavis_jax.load(write_golden_checkpoint(spec))


def test_unknown_variant_is_told_with_the_known_ones(checkpoint):
    with pytest.raises(UserError, match="variant 'av' is not one of visual, l1-audio-only"):
        stavis_jax.load(checkpoint, "av")


def test_package_is_light_until_it_is_used():
    program = (
        "import sys, stavis_jax\n"
        "assert 'jax' not in sys.modules\n"
        "assert callable(stavis_jax.load) and callable(stavis_jax.metrics.cc)\n"
        "assert {'load', 'metrics', 'predict_video'} <= set(dir(stavis_jax))\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_unknown_name_of_the_package_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = stavis_jax.lode
