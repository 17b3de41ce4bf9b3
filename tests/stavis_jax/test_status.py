"""The command that says how a training is getting on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stavis_jax import status

ROOT = Path(__file__).parents[2]


def test_json_is_one_line(tmp_path, capsys):
    (tmp_path / "visual" / "checkpoints" / "3").mkdir(parents=True)
    status.main([str(tmp_path), "--json"])
    (line,) = capsys.readouterr().out.splitlines()
    (run,) = json.loads(line)["runs"]
    assert (run["state"], run["stages"][0]["checkpoint_step"]) == ("unknown", 3)


def test_a_missing_folder_ends_with_one_line():
    with pytest.raises(SystemExit) as end:
        status.main(["absent"])
    assert end.value.code == "error: absent: is not a folder. Give the --workdir of a training."


def test_it_starts_without_jax_and_numpy(tmp_path):
    program = (
        "import sys; from stavis_jax import status; status.main(sys.argv[1:]); "
        "assert not {'jax', 'numpy', 'orbax', 'rich'} & set(sys.modules), sorted(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{tmp_path}: holds no training yet\n"
