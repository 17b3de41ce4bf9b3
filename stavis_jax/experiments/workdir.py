"""Records a training's settings in its working directory. A training continues only with the same settings."""

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path

import ml_collections

from data_pipelines.runtime import json_files
from data_pipelines.runtime.atomic import write_text
from data_pipelines.runtime.errors import UserError
from stavis_jax.cli.versions import versions

_log = logging.getLogger("stavis_jax")

# Settings that may change when a training continues: paths, how often it saves, what it writes and scores.
MAY_CHANGE = re.compile(
    r"tensorboard|on_nan|data\.(path|raw|workers|placement)|(init|evaluation|versions|watch)\..*"
    r"|stages\.\w+\.(save_every|save_every_steps|keep_checkpoints)"
)
STAGE_OF_START = {"kinetics": "visual"}  # of start weights; the others are of the stage audiovisual
OF_TRAINING = re.compile(r"(stages|compute)\..*")


def write_settings(config: ml_collections.ConfigDict, workdir: Path) -> None:
    """Writes WORKDIR/config.json: the settings, and the versions of the packages that affect the numbers."""
    path = workdir / "config.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(config.to_dict() | {"versions": versions()}, indent=2) + "\n")


def check_same_settings(config: ml_collections.ConfigDict, workdir: Path, started: dict[str, bool] | None) -> None:
    """Raises UserError if the working directory holds a training with other settings.

    A warning says so if start weights have changed of a stage that goes on from its checkpoint.

    Args:
      started: stage -> whether it has a checkpoint yet. The settings of a stage that has none may change. None if
        nothing is to be trained: then the settings of the training do not matter.
    """
    path = workdir / "config.json"
    if not path.is_file():
        return
    before = _flat(json_files.read_object(path, "Give another --workdir."))
    now = _flat(json.loads(json.dumps(config.to_dict())))
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) == now.get(key):
            continue
        if MAY_CHANGE.fullmatch(key) or _is_open(key, started):
            if before.get(key) or now.get(key):  # earlier versions lack some settings
                _warn_of_start(key, started or {})
            continue
        raise UserError(
            f"{workdir}: was trained with --config.{key}={before.get(key)}, now it is {now.get(key)}. "
            "Give another --workdir."
        )


def _warn_of_start(key: str, started: Mapping[str, bool]) -> None:
    group, _, setting = key.partition(".")
    stage = STAGE_OF_START.get(setting, "audiovisual")
    if group == "init" and started.get(stage):
        text = "--config.%s has changed, with no effect on the stage %s, which continues from its checkpoint. %s"
        _log.warning(text, key, stage, "To start again from these weights, give another --workdir.")


def _is_open(key: str, started: dict[str, bool] | None) -> bool:
    """Returns whether no training has used the setting yet, or none will."""
    if started is None:
        return bool(OF_TRAINING.fullmatch(key))
    stage = re.match(r"stages\.(\w+)\.", key)
    return not started[stage[1]] if stage and stage[1] in started else not any(started.values())


def _flat(settings: dict, prefix: str = "") -> dict:
    """Returns nested settings by dotted key: {"a": {"b": 1}} -> {"a.b": 1}."""
    flat: dict = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat
