"""The folder of one film's outputs: it appears complete, and records the settings it was made with."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import av

from data_pipelines.runtime import atomic
from data_pipelines.runtime.errors import UserError, reason
from data_pipelines.runtime.folders import is_clutter, is_free
from data_pipelines.runtime.text_files import read_text
from stavis_jax.outputs.registry import is_output

SETTINGS = "prediction.json"  # marks a folder as a prediction
FILM_SIZE, REAL_TIME = "film size in pixels", "real time"  # names of facts


def is_done(folder: Path, settings: Mapping[str, Any], overwrite: bool) -> bool:
    """Returns whether a folder holds a prediction with the same settings.

    Args:
      folder: the folder.
      settings: see `write_prediction_settings`.
      overwrite: whether a prediction may be replaced. If so, no prediction counts as done.

    Raises:
      UserError: the folder holds something else, which may not be replaced.
    """
    earlier = settings_of(folder)
    if overwrite or not earlier:
        check_replaceable(folder)
        return False
    earlier = {"dtype": "float32"} | earlier  # version 0.1.0 had no other and did not record it
    for name, value in json.loads(json.dumps(settings)).items():
        if earlier.get(name) != value:
            raise UserError(
                f"{folder}: was predicted with other settings ({name}: {_text(earlier.get(name, 'unknown'))}, "
                f"now: {_text(value)}). Use --overwrite to replace it, or another --output."
            )
    return True


def check_replaceable(folder: Path) -> None:
    """Raises `UserError` unless the folder is missing, is empty, or holds a prediction and no other file."""
    advice = "Use another --output."
    if folder.is_symlink():
        raise UserError(f"{folder}: is a link and is not replaced. {advice}")
    if is_free(folder):
        return
    if not settings_of(folder):
        raise UserError(f"{folder}: is not a prediction and is not overwritten. {advice}")
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        holds_files = path.is_dir() and not path.is_symlink() and any(path.iterdir())
        if not (holds_files or name == SETTINGS or is_output(name) or any(map(is_clutter, name.split("/")))):
            raise UserError(
                f"{folder}: holds {name}, which is not part of a prediction, so it is not overwritten. {advice}"
            )


def write_prediction_settings(folder: Path, settings: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    """Writes the file that marks a prediction: the settings that its files depend on, and other facts."""
    text = json.dumps({"settings": dict(settings), **facts}, indent=2)
    (folder / SETTINGS).write_text(text + "\n", encoding="utf-8")


def film_size_of(folder: Path) -> tuple[int, int] | None:
    """Returns the (width, height) in pixels of the film that a prediction is of; None if it does not tell."""
    size = _content_of(folder).get(FILM_SIZE)
    if isinstance(size, list) and len(size) == 2 and all(type(length) is int and length > 0 for length in size):
        return size[0], size[1]
    return None


def stride_of_real_time(folder: Path) -> int | None:
    """Returns the stride of a prediction that was chosen for real time; None if there is no such prediction."""
    stride = settings_of(folder).get("stride")
    return stride if _content_of(folder).get(REAL_TIME) is True and type(stride) is int else None


@contextlib.contextmanager
def finished_folder(folder: Path, check: Callable[[Path], None] = check_replaceable) -> Iterator[Path]:
    """Yields a new folder, which takes the name `folder` when the block ends normally and is removed after an error.

    Leftovers of killed runs are removed. `check` raises `UserError` if `folder` may not be replaced.

    Raises:
      UserError: another run writes to the folder, it cannot be written, or other files have appeared in it.
    """
    is_new_output = not folder.parent.exists()
    try:
        with atomic.temporary_folder_beside(folder) as aside:
            new = aside / "new"
            new.mkdir()
            yield new
            check(folder)
            atomic.replace_folder(new, folder)
    except (OSError, av.FFmpegError) as error:
        raise _user_error(error, folder) from error
    finally:
        if is_new_output:
            with contextlib.suppress(OSError):  # it is not empty
                folder.parent.rmdir()


def _user_error(error: OSError | av.FFmpegError, folder: Path) -> UserError:
    """Returns an error that names the file at fault: `folder`, or a file outside of the output."""
    name = getattr(error, "filename", None)
    if isinstance(name, str | bytes) and name:
        file = Path(os.path.abspath(os.fsdecode(name).removeprefix("file:")))
        output = Path(os.path.abspath(folder)).parent
        if not (file.is_relative_to(output) or output.is_relative_to(file)):
            return UserError(f"{file}: {reason(error)}. Check that it can be read and written.")
    return UserError(f"{folder}: cannot be written ({reason(error)}). Use another --output.")


def _text(value: Any) -> str:
    """Returns a setting as text."""
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def settings_of(folder: Path) -> dict[str, Any]:
    """Returns the settings of a prediction; empty if the folder is not one or its settings cannot be read."""
    settings = _content_of(folder).get("settings")
    return settings if isinstance(settings, dict) else {}


def _content_of(folder: Path) -> dict[str, Any]:
    """Returns what `write_prediction_settings` wrote; empty if it cannot be read."""
    try:
        content = json.loads(read_text(folder / SETTINGS))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
