"""Recipes are found by name, from any folder, in a checkout, an editable install and a wheel."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from stavis_jax import configs
from stavis_jax.configs import ablation, av, starter, visual
from stavis_jax.experiments.settings import augmentation, network_config, training_settings

ROOT = Path(__file__).parents[2]


def refusal(folder: Path, path: Path, *arguments: str) -> str:
    """Returns the command's error about a seed of -1, which it checks after it has read the recipe."""
    command = [sys.executable, "-m", "stavis_jax.main", *arguments, "--config.seed=-1"]
    environment = os.environ | {"PYTHONPATH": str(path)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    return done.stderr


def test_a_name_stands_for_the_file_and_anything_else_stays():
    assert configs.names() == ["ablation", "av", "starter", "visual"]
    assert configs.locate("av:demo") == f"{configs.FOLDER}/av.py:demo"
    for path in ("configs/av.py:demo", "mine.py", "nothing", ""):
        assert configs.locate(path) == path


def test_the_recipes_differ_in_what_they_train_only():
    for preset in configs.PRESETS:
        one, other = av.get_config(preset).to_dict(), visual.get_config(preset).to_dict()
        assert (one["model"].pop("variant"), other["model"].pop("variant")) == ("l3mul-s3", "visual")
        assert one == other
    paper, of_ablation = av.get_config().to_dict(), ablation.get_config().to_dict()
    del paper["model"]["variant"], paper["data"]["split"], of_ablation["ablation"]
    del paper["init"]["visual"], paper["init"]["audiovisual"]  # an ablation trains both stages of every system
    assert paper == of_ablation


@pytest.mark.parametrize("recipe", [av, visual, ablation, starter])
def test_the_demo_changes_settings_that_the_paper_has(recipe):
    added = flat(recipe.get_config("demo").to_dict()) - flat(recipe.get_config().to_dict())
    assert added == {f"demo.{name}" for name in ("train_films", "test_films", "frames", "size")}


@pytest.mark.parametrize(("preset", "frames"), [("paper", 1), ("films", 16)])
def test_the_starter_sees_a_frame_and_then_whole_clips(preset, frames):
    config = starter.get_config(preset)
    assert training_settings(config, "visual").frames == frames
    assert network_config(config).variant == "visual"
    assert augmentation(config).changes


def flat(settings: dict, prefix: str = "") -> set[str]:
    """Returns the dotted keys of nested settings."""
    inner = (flat(of, f"{prefix}{key}.") if isinstance(of, dict) else {prefix + key} for key, of in settings.items())
    return set().union(*inner)


@pytest.mark.parametrize("recipe", ["av", "visual:demo", "configs/av.py", "configs/av.py:demo"])
def test_a_checkout_has_the_recipes_by_name_and_by_file(commands, recipe):
    ended = commands.run("stavis_jax.main", f"--config={recipe}", "--config.seed=-1")
    assert (ended.code, ended.err) == (1, "error: --config.seed=-1: give 0 or more.\n")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Returns the unpacked wheel of this checkout. It is built from a copy, since building leaves files behind."""
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("wheel")
    for package in ("data_pipelines", "stavis_jax"):
        shutil.copytree(ROOT / package, folder / "source" / package)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "source")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", str(folder), str(folder / "source")], check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as file:
        file.extractall(folder / "unpacked")
    return folder / "unpacked"


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["av", "av:demo", "visual"])
def test_a_wheel_has_the_recipes_from_any_folder(recipe, wheel, tmp_path):
    assert sorted(path.name for path in wheel.rglob("*") if path.parent.name == "configs") == [
        "__init__.py", "ablation.py", "av.py", "starter.py", "visual.py",
    ]  # fmt: skip
    assert refusal(tmp_path, wheel, f"--config={recipe}") == "error: --config.seed=-1: give 0 or more.\n"
    assert list(tmp_path.iterdir()) == []
