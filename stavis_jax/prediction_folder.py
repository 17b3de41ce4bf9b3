"""The folder of one film's predictions: there whole or not at all, and it says how it was made."""

import contextlib
import json
import os
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import av

from data_pipelines.errors import UserError

SETTINGS = "prediction.json"  # written last


def is_done(folder: Path, settings: Mapping[str, Any], written: Iterable[str], overwrite: bool) -> bool:
    """Whether a folder holds what these settings would give.

    Args:
      settings: see `write_settings`.
      written: names of what predictions put into such a folder.
      overwrite: whether a prediction of other settings may be replaced; nothing counts as done then.

    Raises:
      UserError: it holds something else.
    """
    if not folder.exists():
        return False
    if not folder.is_dir() or {entry.name for entry in folder.iterdir()} - {SETTINGS, *written}:
        raise UserError(f"{folder}: is not a prediction, so it is not overwritten. Give another --output.")
    if overwrite:
        return False
    before = _settings_of(folder)
    for name, value in json.loads(json.dumps(settings)).items():
        if before.get(name) != value:
            raise UserError(
                f"{folder}: was predicted with another {name} ({before.get(name, 'not known')}, now {value}). "
                "Give --overwrite to replace it, or another --output."
            )
    return True


def write_settings(folder: Path, settings: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    """Writes down what the files depend on (`settings`) and what else is worth knowing."""
    text = json.dumps({"settings": dict(settings), **facts}, indent=2)
    (folder / SETTINGS).write_text(text + "\n", encoding="utf-8")


@contextlib.contextmanager
def finished_folder(folder: Path) -> Iterator[Path]:
    """Gives a temporary folder beside `folder`, which takes its place if all goes well and vanishes if not.

    What killed runs of this machine left behind there is removed. Raises `UserError` if nothing can be written.
    """
    host = socket.gethostname()
    unfinished = folder.with_name(f".{folder.name}.unfinished-{host}-{os.getpid()}")
    is_new_output = not folder.parent.exists()
    try:
        for left in _left_behind(folder, host):
            shutil.rmtree(left, ignore_errors=True)
        unfinished.mkdir(parents=True)
        yield unfinished
        if folder.exists():
            shutil.rmtree(folder)
        unfinished.rename(folder)
    except (OSError, av.FFmpegError) as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}). Give another --output.") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        if is_new_output:
            with contextlib.suppress(OSError):  # holds a finished folder
                folder.parent.rmdir()


def _left_behind(folder: Path, host: str) -> list[Path]:
    prefix = f".{folder.name}.unfinished-{host}-"
    if not folder.parent.is_dir():
        return []
    found = [path for path in folder.parent.iterdir() if path.name.startswith(prefix)]
    return [path for path in found if not _is_running(path.name.removeprefix(prefix))]


def _is_running(process: str) -> bool:
    if not process.isdigit():
        return True
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's
        return True
    return True


def _settings_of(folder: Path) -> dict[str, Any]:
    try:
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))["settings"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return settings if isinstance(settings, dict) else {}
