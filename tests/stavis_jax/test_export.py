"""An exported network, loaded as docs/export.md shows, gives the numbers of the checkpoint's network."""

import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.export
import numpy as np
import pytest
from made_checkpoints import weights_of_distinct_maps

import stavis_jax
from data_pipelines.inputs.windows import subtract_mean
from data_pipelines.runtime.errors import UserError
from stavis_jax import export
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.ops.backend_form import TEXTBOOK
from stavis_jax.prediction import stablehlo
from stavis_jax.weights.directory import WeightsInfo, save_weights

ROOT = Path(__file__).parents[2]
SIZE = 32
ATOL = 5e-6  # of the saliency: the same form in float32, compiled otherwise
OTHER_FORM_ATOL = 3e-5  # of the saliency: 1e-4 of the logits, as between all forms, times a sigmoid's slope


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    config = NetworkConfig("l3mul-s3", 10)
    folder = tmp_path_factory.mktemp("weights") / "stavis"
    save_weights(folder, weights_of_distinct_maps(config), WeightsInfo.of_network(config, size=SIZE))
    return folder


def example(batch: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns a clip of pixels and a waveform."""
    draw = np.random.default_rng(0)
    clip = draw.integers(0, 256, (batch, 16, height, width, 3), np.uint8)
    return clip, draw.normal(0, 50, (batch, 35_280)).astype(np.float32)


def expected(model: stavis_jax.StavisModel, clip: np.ndarray, waveform: np.ndarray) -> np.ndarray:
    return np.asarray(jax.nn.sigmoid(model.saliency_logits(subtract_mean(clip), waveform)))


def loaded(path: Path):
    return jax.jit(jax.export.deserialize(bytearray(path.read_bytes())).call)


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["visual", "l3mul-s3"])
def test_a_file_gives_the_networks_numbers_for_any_batch_and_size(variant, checkpoint, tmp_path):
    path = tmp_path / "stavis.stablehlo"
    export.main([str(checkpoint), "--output", str(path), "--variant", variant])
    network = loaded(path)
    for shape in ((2, 32, 32), (1, 16, 48)):
        clip, waveform = example(*shape)
        ours = network(clip) if variant == "visual" else network(clip, waveform)
        assert ours.shape == shape and ours.dtype == np.float32
        of_form = expected(stavis_jax.load(checkpoint, variant, form=TEXTBOOK), clip, waveform)
        assert np.ptp(of_form) > 0.01
        np.testing.assert_allclose(ours, of_form, rtol=0, atol=ATOL)
    as_predicted = expected(stavis_jax.load(checkpoint, variant), clip, waveform)
    np.testing.assert_allclose(ours, as_predicted, rtol=0, atol=OTHER_FORM_ATOL)


@pytest.mark.slow
def test_weights_beside_give_the_same_numbers_without_the_package(checkpoint, tmp_path):
    """Runs the loader of docs/export.md in a process that can import JAX and NumPy, and not this package."""
    flags = ["--output", str(tmp_path / "stavis.stablehlo"), "--weights", "beside"]
    export.main([str(checkpoint), *flags])
    assert (tmp_path / "stavis.stablehlo").stat().st_size < 200_000
    clip, waveform = example(1, SIZE, SIZE)
    np.savez(tmp_path / "inputs.npz", clip=clip, waveform=waveform)
    text = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    loader = re.search(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[1]
    call = re.search(r"`(network\(dict.*?\))`", text)[1]
    loader = re.sub(r"network\(clip, waveform\)", call, loader)
    program = f"""
import numpy, sys
sys.modules["stavis_jax"] = sys.modules["data_pipelines"] = sys.modules["flax"] = None
inputs = numpy.load("inputs.npz")
clip, waveform = inputs["clip"], inputs["waveform"]
{loader}
numpy.save("saliency.npy", saliency)
"""
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    model = stavis_jax.load(checkpoint, form=TEXTBOOK)
    found = np.load(tmp_path / "saliency.npy")
    np.testing.assert_allclose(found, expected(model, clip, waveform), rtol=0, atol=ATOL)


def test_a_file_is_for_three_platforms_and_says_what_it_takes(checkpoint):
    model = stavis_jax.load(checkpoint, form=TEXTBOOK, dtype="bfloat16")
    exported = stablehlo.export_network(model, "beside")
    assert exported.platforms == ("cpu", "cuda", "tpu")
    *_, clip, waveform = exported.in_avals
    assert (clip.dtype, str(clip.shape)) == (np.uint8, "(batch, 16, 16*rows, 16*columns, 3)")
    assert (waveform.dtype, str(waveform.shape)) == (np.float32, "(batch, 35280)")
    assert "bf16" in exported.mlir_module()
    in_float32 = stablehlo.export_network(stavis_jax.load(checkpoint))
    assert "bf16" not in in_float32.mlir_module()
    assert in_float32.fun_name == exported.fun_name == "saliency"  # as JAX's errors call it


def test_files_that_exist_are_replaced_only_on_request(checkpoint, tmp_path):
    model, path = stavis_jax.load(checkpoint, "visual", form=TEXTBOOK), tmp_path / "stavis.stablehlo"
    beside = stablehlo.weights_path(path)
    beside.write_text("mine")
    with pytest.raises(UserError, match=r"stavis.stablehlo.npz: exists already. Give --overwrite"):
        stablehlo.write_export(model, path, "beside")
    assert beside.read_text() == "mine" and not path.exists()
    stablehlo.write_export(model, path, "inside", overwrite=True)
    assert beside.read_text() == "mine"  # it belongs to no program that was replaced
    stablehlo.write_export(model, path, "beside", overwrite=True)
    assert set(np.load(beside)) == set(model.weights)
    assert sorted(tmp_path.iterdir()) == [path, beside]
    stablehlo.write_export(model, path, "inside", overwrite=True)
    assert [*tmp_path.iterdir()] == [path]  # no weights of another program are left beside it


def test_the_checkpoint_is_never_replaced(tmp_path):
    path = tmp_path / "stavis.pth"
    path.write_bytes(b"weights")
    with pytest.raises(SystemExit, match="stavis.pth: is the checkpoint. Give another --output."):
        export.main([str(path), "--output", str(tmp_path / "." / "stavis.pth"), "--overwrite"])
    assert path.read_bytes() == b"weights"


def test_an_interrupted_export_leaves_no_program_beside_the_weights_of_another(checkpoint, tmp_path, monkeypatch):
    model, path = stavis_jax.load(checkpoint, "visual", form=TEXTBOOK), tmp_path / "stavis.stablehlo"
    stablehlo.write_export(model, path, "beside")
    replace = stablehlo.os.replace

    def full_disk(source, target):
        replace(source, target)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stablehlo.os, "replace", full_disk)
    with pytest.raises(UserError, match="cannot be written .No space left on device."):
        stablehlo.write_export(model, path, "beside", overwrite=True)
    assert sorted(tmp_path.iterdir()) == [stablehlo.weights_path(path)]
