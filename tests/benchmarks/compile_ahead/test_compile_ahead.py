"""The command, its jobs and tables, and a real compilation for the CPU that is here."""

import dataclasses
import json
import sys

import jax
import pytest

from benchmarks.compile_ahead import chips, facts, programs, results, tables
from benchmarks.compile_ahead.__main__ import main
from benchmarks.compile_ahead.chips import CHIPS
from benchmarks.compile_ahead.plan import SMALL, Job, all_jobs, chosen
from data_pipelines.runtime.errors import UserError

JOB = Job("train", "visual", "bfloat16", 32)
RESULT = {
    "chip": "v5e",
    "job": JOB.name,
    "compiler": "jax 1, libtpu 2",
    "error": "",
    "seconds": 61.2,
    "cycles": 150_000_000,
    "transposes": [1, 10**9],
    "collectives": {"all-reduce": [2, 3_000_000]},
    "convolutions": {},
    "scatters": 0,
    "arguments": 10**9,
    "outputs": 10**9,
    "aliases": 10**9,
    "temporaries": 2 * 10**9,
    "code": 0,
    "bytes": 5e9,
    "top": [{"cycles": 75_000_000, "name": "fusion.1", "shape": "bf16[2]", "source": "jit(step)/conv"}],
}


def test_jobs_have_names_of_their_own():
    names = [job.name for job in all_jobs()]
    assert len(set(names)) == len(names)
    assert set(SMALL) <= set(names)
    assert [job.name for job in chosen(["train-visual-*-x8-per-device"])] == [
        "train-visual-bfloat16-32-x8-per-device",
        "train-visual-bfloat16-128-x8-per-device",
    ]


def test_a_row_has_time_rate_share_of_peak_and_memory():
    row = dict(zip(tables.HEAD, tables.cells(RESULT, JOB, CHIPS["v5e"]), strict=True))
    assert row["est. ms"] == "100.00" and row["clips/s a chip"] == "320"
    assert row["share of peak"] == "7.1%"  # 43.9 GFLOP * 32 / 0.1 s / 197 TFLOP/s
    assert row["memory, GB"] == "3.00 of 16" and row["collectives, MB"] == "2: 3.0"


def test_a_program_that_does_not_compile_says_why():
    failed = {"chip": "v5e", "job": JOB.name, "error": "Used 20G of 16G hbm"}
    assert tables.cells(failed, JOB, CHIPS["v5e"])[1] == "no: Used 20G of 16G hbm"
    title, text = tables.page_section([failed, RESULT], [JOB], CHIPS["v5e"])
    assert title == "Compiled for one TPU v5e"
    assert "est. ms" not in tables.page_section([failed], [JOB], CHIPS["v5e"])[1]
    assert "no: Used 20G" in text and "| 75,000,000 | 50.0% |" in text and "jax 1, libtpu 2" in text


def test_errors_of_memory_begin_with_what_is_lacking():
    error = RuntimeError(
        "RESOURCE_EXHAUSTED: XLA:TPU compile permanent error. Ran out of memory in hbm. Used 20G of 16G"
    )
    assert facts.reason(error).startswith("Ran out of memory in hbm.")


def test_a_missing_compiler_is_one_line_with_the_command(monkeypatch):
    monkeypatch.setattr(chips, "_found", lambda module: False)
    with pytest.raises(UserError, match="pip install --no-deps '?libtpu"):
        chips.check_installed(CHIPS["v5e"])
    with pytest.raises(UserError, match=f"jax-cuda12-plugin=={jax.__version__}"):
        chips.check_installed(CHIPS["h100"])


def test_an_unknown_job_is_one_line():
    with pytest.raises(SystemExit, match="--jobs tarin-\\*: no job has this name"):
        main(["--chip", "v5e", "--jobs", "tarin-*"])


def test_a_worker_that_dies_is_a_result_and_the_others_go_on(tmp_path, monkeypatch):
    code = """import sys, json
for name in sys.argv[5:]:
    print(json.dumps({"begin": name}), flush=True)
    if name.startswith("train"): print("killed", file=sys.stderr); sys.exit(9)
    print(json.dumps({"job": name, "error": ""}), flush=True)
"""
    worker = tmp_path / "worker.py"
    worker.write_text(code)
    popen = results.subprocess.Popen
    monkeypatch.setattr(
        results.subprocess,
        "Popen",
        lambda command, **rest: popen([sys.executable, str(worker), "-", *command[3:]], **rest),
    )
    monkeypatch.setattr(results, "environment", lambda chip: {})
    path, told = tmp_path / "results.jsonl", []
    jobs = [Job("score", "visual", "float32", 8), JOB, Job("score", "visual", "float32", 1)]
    chip = dataclasses.replace(CHIPS["v5e"], jobs_per_process=3)
    found = results.compile_all(chip, jobs, path, "", told.append)
    assert [one["error"] for one in found] == ["", "the compiler's process ended with 9: killed", ""]
    assert results.read(path) == told == found


def test_an_incomplete_line_of_results_is_skipped(tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_text(json.dumps(RESULT) + '\n{"chip": "v5')
    assert results.newest(path, CHIPS["v5e"], [JOB]) == [RESULT]
    assert results.newest(path, CHIPS["h100"], [JOB]) == []


@pytest.mark.slow
@pytest.mark.parametrize("program", ["score", "train", "dense"])
def test_programs_compile_from_shapes(program):
    job = Job(program, "l3mul-s3", "bfloat16", 1, chips=2 if program == "train" else 1, depth=10, size=32)
    with jax.numpy_dtype_promotion("standard"):  # optax mixes types
        lowered = programs.lowered(job, jax.devices()[: job.chips], "gpu")
    found, text = facts.compile_facts(lowered)
    assert found["error"] == "" and found["temporaries"] >= 0 and found["operations"] > 0
    assert bool(found["collectives"]) == (program == "train")
    assert text.startswith("HloModule")
    assert json.loads(json.dumps(found))["top"] == []  # the CPU's compiler estimates no cycles
    assert facts.digest_of(lowered, "a") != facts.digest_of(lowered, "b")
