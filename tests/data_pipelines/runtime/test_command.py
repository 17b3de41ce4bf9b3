import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
COMMAND = """
import logging, sys, warnings
from absl import app
from data_pipelines.runtime.command import command
@command
def run(*_):
    logging.getLogger("films").warning("a film is\\nleft out")
    warnings.warn("a setting is old")
"""


@pytest.mark.parametrize("start", ["run()", "app.run(run)"], ids=["argparse", "absl"])
def test_warnings_are_lines_that_begin_with_warning(start):
    done = subprocess.run([sys.executable, "-c", COMMAND + start], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stderr.splitlines() == ["warning: a film is left out", "warning: a setting is old"]
