"""The folder of one film's predictions: there whole or not at all, and it says how it was made."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import av

from data_pipelines.runtime import atomic
from data_pipelines.runtime.errors import UserError, reason

SETTINGS = "prediction.json"  # written last: the mark of a prediction

IsOutput = Callable[[str], bool]  # whether predictions write a file of this name, relative to the film's folder


def is_done(folder: Path, settings: Mapping[str, Any], is_output: IsOutput, overwrite: bool) -> bool:
    """Whether a folder holds what these settings would give.

    Args:
      settings: see `write_settings`.
      is_output: see `IsOutput`; the settings' own file aside.
      overwrite: whether a prediction of other settings may be replaced; nothing counts as done then.

    Raises:
      UserError: it holds something else, or may not be replaced.
    """
    if overwrite or not _is_prediction(folder):
        check_replaceable(folder, is_output)
        return False
    before = _settings_of(folder)
    for name, value in json.loads(json.dumps(settings)).items():
        if before.get(name) != value:
            was, now = ("none" if known is None else known for known in (before.get(name, "not known"), value))
            raise UserError(
                f"{folder}: was predicted with another {name} ({was}, now {now}). "
                "Give --overwrite to replace it, or another --output."
            )
    return True


def check_replaceable(folder: Path, is_output: IsOutput) -> None:
    """Raises `UserError` unless nothing is there, an empty folder, or a prediction and nothing besides."""
    advice = "Give another --output."
    if folder.is_symlink():
        raise UserError(f"{folder}: is a link, so it is not replaced. {advice}")
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not _is_prediction(folder):
        raise UserError(f"{folder}: is not a prediction, so it is not overwritten. {advice}")
    for path in _files_in(folder):
        name = path.relative_to(folder).as_posix()
        if name != SETTINGS and not is_output(name):
            raise UserError(
                f"{folder}: holds {name}, which is no part of a prediction, so it is not overwritten. {advice}"
            )


def write_settings(folder: Path, settings: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    """Writes down what the files depend on (`settings`) and what else is worth knowing."""
    text = json.dumps({"settings": dict(settings), **facts}, indent=2)
    (folder / SETTINGS).write_text(text + "\n", encoding="utf-8")


@contextlib.contextmanager
def finished_folder(folder: Path, is_output: IsOutput) -> Iterator[Path]:
    """Gives a new folder, which takes the place of `folder` if all goes well and vanishes if not.

    What killed runs left of it is removed. Raises `UserError` if another run is writing it, it cannot be written, or
    something of others has come there meanwhile.
    """
    is_new_output = not folder.parent.exists()
    try:
        with atomic.temporary_folder_beside(folder) as aside:
            new = aside / "new"
            new.mkdir()
            yield new
            check_replaceable(folder, is_output)
            atomic.replace_folder(new, folder)
    except (OSError, av.FFmpegError) as error:
        raise _told(error, folder) from error
    finally:
        if is_new_output:
            with contextlib.suppress(OSError):  # holds a finished folder
                folder.parent.rmdir()


def _told(error: OSError | av.FFmpegError, folder: Path) -> UserError:
    """Names the file that the error is of, if that is none of the output."""
    name = getattr(error, "filename", None)
    if isinstance(name, str | bytes) and name:
        file = Path(os.path.abspath(os.fsdecode(name).removeprefix("file:")))
        output = Path(os.path.abspath(folder)).parent
        if not (file.is_relative_to(output) or output.is_relative_to(file)):
            return UserError(f"{file}: {reason(error)}. Make it one that can be read and written.")
    return UserError(f"{folder}: cannot be written ({reason(error)}). Give another --output.")


def _files_in(folder: Path) -> Iterator[Path]:
    """All but folders, of folders at any depth; empty folders count as files."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink() and any(path.iterdir()):
            yield from _files_in(path)
        else:
            yield path


def _is_prediction(folder: Path) -> bool:
    return bool(_settings_of(folder))


def _settings_of(folder: Path) -> dict[str, Any]:
    """Empty if it is no prediction, or its settings cannot be read."""
    try:
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))["settings"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return settings if isinstance(settings, dict) else {}
