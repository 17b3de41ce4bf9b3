"""--help of the commands that take --config, by `python -m` and by console script."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = "import sys; sys.argv[0] = '/bin/stavis-{script}'; from stavis_jax.{module} import main; main()"


@pytest.mark.parametrize(("module", "script"), [("main", "train"), ("ablate", "ablate")])
def test_help_names_the_command_as_it_was_started(module, script):
    starts = {
        f"python -m stavis_jax.{module}": ["-m", f"stavis_jax.{module}"],
        f"stavis-{script}": ["-c", SCRIPT.format(script=script, module=module)],
    }
    flags = {}
    for (name, start), flag in zip(starts.items(), ("--help", "-h"), strict=True):
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, *start, flag], env=environment, capture_output=True, text=True, check=True
        )
        assert f"\n{name} --config=" in done.stdout
        flags[name] = done.stdout.partition("\nflags:\n")[2].splitlines()[2:]  # after the program's path
    first, second = flags.values()
    assert first == second
    assert "  --workdir: Folder for everything that is written. Default:" in first
