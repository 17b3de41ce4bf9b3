"""The cell that installs keeps the versions of installed packages. pip resolves wheels made here."""

import base64
import hashlib
import importlib.metadata
import importlib.util
import json
import subprocess
import zipfile
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
KEPT = ("jax", "jaxlib", "flax", "numpy", "librosa")
TOO_NEW = "9999.0"


def install_cell(name: str) -> str:
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=nbformat.NO_CONVERT)
    return next(cell.source for cell in notebook.cells if cell.id == "install")


def write_wheel(folder: Path, name: str, version: str, *requirements: str) -> None:
    """Writes the wheel of an empty package."""
    info = f"{name}-{version}.dist-info"
    requires = "".join(f"Requires-Dist: {requirement}\n" for requirement in requirements)
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        record = ""
        for path, text in files.items():
            wheel.writestr(path, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{path},sha256={digest},{len(text)}\n"
        wheel.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")


@pytest.fixture
def wheels(tmp_path) -> Path:
    """Writes wheels of `wanted`, which needs the kept packages and `missing`, and of newer versions of all of them.

    The newest `missing` needs those newer versions.
    """
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in KEPT:
        write_wheel(folder, name, TOO_NEW)
    write_wheel(folder, "missing", "1.0", *KEPT)
    write_wheel(folder, "missing", "2.0", *(f"{name}>={TOO_NEW}" for name in KEPT))
    write_wheel(folder, "wanted", "1.0", "missing", *KEPT)
    return folder


def planned(pip: list[str], wheels: Path) -> dict[str, str]:
    """Returns name -> version of what a pip command would install. Uses no index."""
    report = wheels.parent / "report.json"
    offline = ["--dry-run", "--ignore-requires-python", "--no-index", f"--find-links={wheels}", f"--report={report}"]
    subprocess.run([*pip, *offline], check=True, capture_output=True, cwd=wheels.parent)
    items = [item["metadata"] for item in json.loads(report.read_text())["install"]]
    return {item["name"]: item["version"] for item in items}


@pytest.fixture
def run_cell(tmp_path, monkeypatch):
    """Runs the cell, with pip ending with these exit codes. Returns pip's commands and constraints."""

    def run_cell(source: str, *codes: int) -> list[tuple[list[str], str]]:
        calls, left = [], list(codes)

        def pip(command, **_):
            calls.append((command, Path("installed.txt").read_text()))
            return SimpleNamespace(returncode=left.pop(0))

        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        monkeypatch.setattr(subprocess, "run", pip)
        try:
            exec(install_cell("colab_tpu_train"), {"REPOSITORY": source})
        finally:
            monkeypatch.undo()
        return calls

    return run_cell


def test_both_notebooks_install_alike():
    assert install_cell("colab_tpu_train") == install_cell("predict_your_video")


@pytest.mark.slow
def test_pip_adds_what_is_missing_and_replaces_nothing(run_cell, wheels):
    [(command, constraints)] = run_cell("https://example.org/stavis_jax.git", 0)
    assert command[-1] == "git+https://example.org/stavis_jax.git"
    for name in KEPT:
        assert f"{name}=={importlib.metadata.version(name)}\n" in constraints
    (wheels.parent / "installed.txt").write_text(constraints)
    assert planned([*command[:-1], "wanted"], wheels) == {"wanted": "1.0", "missing": "1.0"}
    with pytest.raises(subprocess.CalledProcessError):
        planned([*command[:-1], "missing>=2"], wheels)
    # Without constraints, pip would replace them all.
    free = [part for part in command[:-1] if part not in ("--constraint", "installed.txt")]
    assert planned([*free, "missing>=2"], wheels).keys() == {"missing", *KEPT}


def test_where_not_everything_can_stay_what_the_devices_hang_on_does(run_cell, tmp_path):
    (tmp_path / "checkout").mkdir()
    first, second = run_cell("checkout", 1, 0)
    assert first[0] == second[0] and first[0][-1] == "checkout"
    assert len(first[1].splitlines()) > len(second[1].splitlines())
    names = {line.split("==")[0] for line in second[1].splitlines()}
    assert names == {*KEPT, "libtpu"} & {d.name for d in importlib.metadata.distributions()}


def test_what_cannot_be_installed_ends_in_one_line(run_cell):
    with pytest.raises(SystemExit, match="could not be installed"):
        run_cell("https://example.org/stavis_jax.git", 1, 1)
    with pytest.raises(SystemExit, match="REPOSITORY: is empty"):
        run_cell("")


def test_where_it_is_installed_pip_is_not_asked(monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("pip is asked"))
    exec(install_cell("colab_tpu_train"), {"REPOSITORY": "https://example.org/stavis_jax.git"})
