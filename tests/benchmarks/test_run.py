"""The one command: its flags, its tables, and a comparison of real networks from weights to a row."""

import dataclasses
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import run, targets
from benchmarks.jobs import forward, growth
from benchmarks.machine import peak_tflops
from benchmarks.plan import QUICK
from benchmarks.reference.gflop import gflop_of_clip
from benchmarks.session import Session

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jobs", "forward,backward"], "--jobs forward,backward: choose from forward, training, "),
        (["--jobs", "forward", "backward"], "--jobs forward backward: choose from forward, training, "),
        (["--jobs", ""], "choose from"),
        (["--rounds", "0"], "--rounds 0: expected 1 or more"),
        (["--quick", "--write", "page.md"], "not for the page"),
    ],
)
def test_wrong_flags_are_one_line(arguments, message):
    with pytest.raises(SystemExit, match=message):
        run.main(arguments)


def test_sections_are_written_as_each_job_ends(tmp_path, monkeypatch):
    def interrupted(session):
        raise KeyboardInterrupt

    monkeypatch.setattr(forward, "measure", lambda session: {"One": session.picture.name})
    monkeypatch.setattr(growth, "measure", interrupted)
    page = tmp_path / "page.md"
    with pytest.raises(SystemExit):
        run.main(["--jobs", "forward,growth", "--write", str(page)])
    assert page.read_text().endswith("## One\n\nbenchmarks_linear.png\n")


def test_a_target_is_met_from_its_own_side():
    assert [targets.Target(1.5, 2).met(value) for value in (1.4, 1.5, 2.1)] == ["no", "must", "aim"]
    assert [targets.Target(30, 12, most=True).met(value) for value in (31, 30, 9)] == ["no", "must", "aim"]
    assert targets.columns("something else", 1.0) == ["-", "-", "-"]


def test_growth_is_told_of_numbers_and_of_costs():
    curve = growth.Curve("dense prediction", "frames", "seconds", {"ours": {50: 2.0, 200: 7.0, 100: 4.0}})
    assert curve.growth("ours") == (4, 3.5)


def test_peaks_are_found_by_the_names_devices_have():
    assert peak_tflops("NVIDIA H100 80GB HBM3", "bfloat16") == 989
    assert peak_tflops("Tesla T4", "bfloat16") is None
    assert peak_tflops("TPU v5 lite", "bfloat16") == 197 and peak_tflops("TPU v5", "bfloat16") == 459
    assert peak_tflops("cpu", "float32") is None


def test_every_job_is_a_module_that_measures():
    assert all(callable(importlib.import_module(f"benchmarks.jobs.{job}").measure) for job in run.JOBS)


def test_a_worker_imports_the_libraries_of_its_own_side_alone():
    """Otherwise its memory and its start would include those of the other side."""
    modules = [f"benchmarks.jobs.{job}" for job in run.JOBS]
    program = f"import sys, {', '.join(modules)}; print({{'jax', 'torch', 'matplotlib'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(("depth", "layer1", "total"), [(10, 2.7745, 11.6678), (50, 5.4463, 19.9196)])
def test_arithmetic_of_a_clip(depth, layer1, total):
    """The totals were also counted by hand, layer by layer."""
    gflop = gflop_of_clip(depth, 112)
    assert gflop["stem"] == pytest.approx(2 * 7**3 * 3 * 64 * 16 * 56 * 56 / 1e9)
    assert gflop["layer1"] == pytest.approx(layer1, abs=1e-4)
    assert sum(gflop.values()) == pytest.approx(total, abs=1e-4)


@pytest.mark.slow
def test_both_networks_are_timed_in_processes_of_their_own_and_agree(tmp_path, monkeypatch):
    """Raises if the logits differ."""
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")  # compiling is most of the time
    session = Session(dataclasses.replace(QUICK, forward_batches=(1,), mallocs=("tuned malloc",)), tmp_path)
    ((title, text),) = forward.measure(session).items()
    assert title == "Forward pass"
    assert "| forward, batch 1, tuned malloc | " in text
    assert json.loads((tmp_path / "weights-10-32" / "converted" / "stavis.json").read_text())["variant"] == "l3mul-s3"
