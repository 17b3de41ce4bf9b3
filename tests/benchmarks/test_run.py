"""The one command: its flags, its tables, and a comparison of real networks from weights to a row."""

import dataclasses
import json

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import run, targets
from benchmarks.machine import peak_tflops
from benchmarks.reference.network import TorchStavis
from benchmarks.scaling import Curve
from benchmarks.speed import forward
from benchmarks.work import gflop_of_clip
from benchmarks.workshop import QUICK, Workshop


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jobs", "forward,backward"], "--jobs forward,backward: choose from forward,training,"),
        (["--jobs", ""], "choose from"),
        (["--rounds", "0"], "--rounds 0: expected 1 or more"),
        (["--quick", "--write", "page.md"], "not for the page"),
    ],
)
def test_wrong_flags_are_one_line(arguments, message):
    with pytest.raises(SystemExit, match=message):
        run.main(arguments)


def test_sections_are_written_as_each_job_ends(tmp_path, monkeypatch):
    def broken(workshop, picture):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "JOBS", {"one": lambda workshop, picture: {"One": picture.name}, "two": broken})
    page = tmp_path / "page.md"
    with pytest.raises(SystemExit):
        run.main(["--jobs", "one,two", "--write", str(page)])
    assert page.read_text().endswith("## One\n\nbenchmarks_linear.png\n")


def test_a_target_is_met_from_its_own_side():
    assert [targets.Target(1.5, 2).met(value) for value in (1.4, 1.5, 2.1)] == ["no", "must", "aim"]
    assert [targets.Target(30, 12, most=True).met(value) for value in (31, 30, 9)] == ["no", "must", "aim"]
    assert targets.columns("something else", 1.0) == ["-", "-", "-"]


def test_growth_is_told_of_numbers_and_of_costs():
    curve = Curve("dense prediction", "frames", "seconds", {"ours": {50: 2.0, 200: 7.0, 100: 4.0}})
    assert curve.growth("ours") == (4, 3.5)


def test_peaks_are_found_by_the_names_devices_have():
    assert peak_tflops("NVIDIA H100 80GB HBM3", "bfloat16") == 989
    assert peak_tflops("Tesla T4", "bfloat16") is None
    assert peak_tflops("TPU v5 lite", "bfloat16") == 197 and peak_tflops("TPU v5", "bfloat16") == 459
    assert peak_tflops("cpu", "float32") is None


@pytest.mark.parametrize("depth", [10, 50])
def test_work_of_a_clip_is_what_pytorch_counts_and_the_bilinear_form(depth):
    with torch.device("meta"):
        network, counter = TorchStavis(depth=depth).eval(), FlopCounterMode(display=False)
        with counter:
            network(torch.zeros(1, 3, 16, 112, 112), torch.zeros(1, 35_280))
    bilinear = 2 * 64 * 128 * 128 * 14 * 14  # PyTorch does not count it
    activations = sum(2 * (112 >> m) ** 2 * (2 * 2**m) ** 2 for m in (1, 2, 3, 4))  # upsampled, and then not used
    counted = (counter.get_total_flops() + bilinear - activations) / 1e9
    assert sum(gflop_of_clip(depth, 112).values()) == pytest.approx(counted, rel=1e-4)


@pytest.mark.slow
def test_both_networks_are_timed_in_processes_of_their_own_and_agree(tmp_path, monkeypatch):
    """Raises if the logits differ."""
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")  # compiling is most of the time
    workshop = Workshop(dataclasses.replace(QUICK, forward_batches=(1,), mallocs=("tuned malloc",)), tmp_path)
    ((title, text),) = forward(workshop).items()
    assert title == "Forward pass"
    assert "| forward, batch 1, tuned malloc | " in text and "ours on cpu" in text
    assert json.loads((tmp_path / "weights-10-32" / "converted" / "stavis.json").read_text())["variant"] == "l3mul-s3"
