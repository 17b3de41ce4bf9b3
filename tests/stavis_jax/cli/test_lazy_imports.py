"""Commands import only what they use."""

import subprocess
import sys

import pytest

UNUSED = ("orbax", "grain", "tensorflow", "tensorflow_datasets", "scipy", "matplotlib", "pandas", "jinja2", "torch")
HELP = "import contextlib, stavis_jax.{command} as c\nwith contextlib.suppress(SystemExit): c.main(['--help'])"
LISTED = "\nimport sys; print('modules:', *{name.partition('.')[0] for name in sys.modules})"


def modules_after(program: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", program + LISTED], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("modules:")[2].split())


@pytest.mark.parametrize("command", ["predict", "reframe", "compare", "live"])
def test_help_imports_neither_jax_nor_flax(command):
    assert not modules_after(HELP.format(command=command)) & {"jax", "flax", *UNUSED}


@pytest.mark.slow
def test_predicting_imports_nothing_of_trainings_and_reports():
    modules = modules_after("import stavis_jax.predict, stavis_jax.cli.network, stavis_jax.outputs.many_films")
    assert "jax" in modules
    assert not modules & set(UNUSED)
