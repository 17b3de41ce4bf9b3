"""Variables and options of Python's process that a shell, Jupyter or a cluster sets."""

import os
import shutil
import subprocess
import sys

import pytest
from bad_input import MODULES, Place
from commands import ROOT
from supplies import DATABASE

pytestmark = pytest.mark.slow


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, *map(str, arguments)]
    everything = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run(command, capture_output=True, cwd=ROOT, env=everything, timeout=120, check=False)


@pytest.mark.parametrize("module", ["stavis_jax.convert", "stavis_jax.main"])
def test_help_needs_neither_docstrings_nor_a_backend_of_matplotlib(module):
    done = run("-OO", "-m", module, "--help", MPLBACKEND="module://a_backend_of_jupyter")
    assert done.returncode == 0 and b"Traceback" not in done.stderr, done
    assert module.encode() in done.stdout or b"--workdir" in done.stdout


def test_help_lists_what_prediction_writes_without_docstrings():
    assert b"contact-sheet.png" in run("-OO", "-m", "stavis_jax.predict", "--help").stdout


def test_scores_of_a_film_whose_name_cannot_be_printed(supplies, tmp_path):
    place = Place(tmp_path, supplies)
    raw, maps = place.copy("raw"), place.copy("maps")
    for folder in (*raw.glob(f"*/{DATABASE}/three"), *maps.glob("*/three")):
        shutil.move(folder, folder.with_name("drei-é"))
    lists = raw / "fold_lists" / f"{DATABASE}_list_test_fps.txt"
    lists.write_text(lists.read_text().replace("three", "drei-é"), encoding="utf-8")
    output = tmp_path / "scores-é"
    flags = ["--predictions", maps, "--data", raw, "--output", output, "--workers", 1]
    environment = {"PYTHONIOENCODING": "ascii", "MPLBACKEND": "module://a_backend_of_jupyter"}
    done = run("-OO", "-m", MODULES["evaluate"], *flags, **environment)
    assert done.returncode == 0, done
    assert "drei-é" in (output / "report.html").read_text(encoding="utf-8")


def test_commands_print_what_an_ascii_terminal_can_show(supplies, tmp_path):
    copied = Place(tmp_path, supplies).copy("film")
    film = copied.rename(copied.with_stem("Filmé"))
    gaze = tmp_path / "gazé.csv"
    gaze.write_text("video,frame,x,y\nFilmé,1,5,5\n", encoding="utf-8")
    for command, flags in {
        "predict": [film, "--checkpoint", supplies.weights, "--output", tmp_path / "prédit", "--outputs", "track"],
        "ingest": [
            "--films",
            film,
            "--gaze",
            gaze,
            "--database",
            "Données",
            "--output",
            tmp_path / "R",
            "--workers",
            1,
        ],
    }.items():
        done = run("-m", MODULES[command], *flags, PYTHONIOENCODING="ascii")
        assert done.returncode == 0 and b"Traceback" not in done.stderr, done
    assert (tmp_path / "prédit" / "Filmé" / "track.csv").is_file()


TALKS = """
from pathlib import Path
from data_pipelines.runtime.command import command
@command
def main():
    for number in range(2000):
        print("line", number)
    Path("done").touch()
main()
"""


@pytest.mark.parametrize(
    ("redirected", "fault"),
    [
        ("| head -1 > head", ""),
        ("2>&1 | true", ""),
        (">&-", ""),
        (">&- 2>&-", ""),
        ("> /dev/full", "error: output: No space left on device. Give a folder that can be written.\n"),
    ],
)
def test_a_command_finishes_its_work_when_nobody_reads_what_it_says(redirected, fault, tmp_path):
    (tmp_path / "talks").mkdir()
    (tmp_path / "talks" / "__init__.py").write_text("import data_pipelines.runtime.started_as_command\n")
    (tmp_path / "talks" / "much.py").write_text(TALKS)
    script = f"{sys.executable} -m talks.much {redirected}; exit ${{PIPESTATUS[0]}}"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", script], capture_output=True, cwd=tmp_path, env=environment, check=False)
    assert (done.returncode, done.stdout, done.stderr.decode()) == (bool(fault), b"", fault), done
    assert (tmp_path / "done").exists() or fault


SCRIPT = """
from data_pipelines.runtime.command import command
@command
def main():
    import jax
    jax.devices()
main()
"""


@pytest.mark.parametrize("platforms", ["nonsense", "cuda", "tpu"])
def test_a_device_that_is_not_there_is_one_line(platforms):
    done = run("-c", SCRIPT, JAX_PLATFORMS=platforms)
    if done.returncode == 0:
        pytest.skip("this machine has one")
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith(f"error: JAX_PLATFORMS={platforms}: JAX cannot use it here"), done
