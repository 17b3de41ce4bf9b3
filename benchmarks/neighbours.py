"""The benchmarks that are commands of their own, as jobs of benchmarks.run: input_pipeline.py and evaluation.py."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import evaluation as scoring
from benchmarks import input_pipeline as loading
from benchmarks import targets
from benchmarks.paired import ROOT
from benchmarks.workshop import Plan
from data_pipelines.runtime.errors import UserError

MEASURED = re.compile(r"\| 640x480, one core.*\*\*(\d+)\*\*")


def input_pipeline(plan: Plan, load: float | None) -> dict[str, str]:
    """Title -> text of a section."""
    with tempfile.TemporaryDirectory() as folder:
        sizes, rounds, seconds = plan.loader_sizes, plan.rounds, plan.loader_seconds
        text = loading.run(Path(folder), frame_sizes=sizes, rounds=rounds, seconds=seconds, load=load)
    ratios = [float(ratio) for ratio in MEASURED.findall(text)]
    if ratios:
        must, aim, met = targets.columns("input pipeline, one core", min(ratios))
        text += f"\n\nTarget, 640x480 on one core: must {must}, aim {aim}; met: {met}."
    return {loading.SECTION: text}


def evaluation(plan: Plan) -> dict[str, str]:
    """Title -> text of a section; none, and a line on stderr, where pysaliency is missing.

    In a process of its own: it must not use threads that this one has started.
    """
    arguments = [sys.executable, "-m", "benchmarks.evaluation", "--rounds", str(plan.rounds)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(arguments, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return {scoring.TITLE: done.stdout.strip()}
    said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1].removeprefix("error: ")
    if "pysaliency" not in said:
        raise UserError(f"benchmarks.evaluation: failed ({said}).")
    print(f"evaluation left out: {said}", file=sys.stderr)
    return {}
