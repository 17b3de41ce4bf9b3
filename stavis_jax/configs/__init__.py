"""Recipes for --config: av, visual and ablation hold the paper's values, starter those of the bundled network.

This module finds a recipe by its name and builds its configuration.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_collections

FOLDER = Path(__file__).parent
PRESETS = ("paper", "demo")


def names() -> list[str]:
    """Returns the names of the recipes."""
    return sorted(file.stem for file in FOLDER.glob("[a-z]*.py"))


def locate(recipe: str) -> str:
    """Returns the file of a recipe: "av:demo" -> "FOLDER/av.py:demo". Returns other text unchanged."""
    name, colon, preset = recipe.partition(":")
    return f"{FOLDER / name}.py{colon}{preset}" if name in names() else recipe


def configuration(paper: Mapping[str, Any], demo: Mapping[str, Any], preset: str) -> ml_collections.ConfigDict:
    """Returns the configuration of a recipe.

    Args:
      paper: all settings, nested.
      demo: settings that the preset "demo" changes, by dotted key.
      preset: "paper" or "demo".

    Raises:
      ValueError: `preset` is neither.
    """
    if preset not in PRESETS:
        raise ValueError(f"preset {preset!r} is not one of {', '.join(PRESETS)}")
    config = ml_collections.ConfigDict(paper).lock()
    return changed(config, demo) if preset == "demo" else config


def changed(config: ml_collections.ConfigDict, settings: Mapping[str, Any]) -> ml_collections.ConfigDict:
    """Returns a locked copy of a configuration with other settings, given by dotted key."""
    config = config.copy_and_resolve_references()
    with config.unlocked():
        config.update_from_flattened_dict(settings)
    return config.lock()
