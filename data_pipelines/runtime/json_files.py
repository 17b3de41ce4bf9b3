"""Reads JSON files that may have been edited or damaged."""

import json
from pathlib import Path
from typing import Any

from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.text_files import read_text


def read_object(path: Path, advice: str) -> dict[str, Any]:
    """Returns the object in a JSON file.

    Raises:
      UserError: the file cannot be read, holds no object, or gives a name twice. The message ends in `advice`.
    """
    try:
        content = json.loads(read_text(path), object_pairs_hook=_with_unique_names)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}). {advice}") from error
    except (ValueError, RecursionError) as error:  # RecursionError: thousands of nested brackets
        raise UserError(f"{path}: damaged ({error}). {advice}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: damaged (expected an object, found {type(content).__name__}). {advice}")
    return content


def _with_unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns an object. Python's reader would keep the last of equal names and say nothing."""
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is given twice")
    return content
