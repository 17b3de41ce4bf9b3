"""Reads JSON files that may have been edited or damaged."""

import json
from pathlib import Path
from typing import Any

from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.text_files import read_text


def read_object(path: Path, advice: str) -> dict[str, Any]:
    """Returns the object in a JSON file.

    Raises:
      UserError: the file cannot be read or holds no object. The message ends in `advice`.
    """
    try:
        content = json.loads(read_text(path))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}). {advice}") from error
    except (ValueError, RecursionError) as error:  # RecursionError: thousands of nested brackets
        raise UserError(f"{path}: damaged ({error}). {advice}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: damaged (expected an object, found {type(content).__name__}). {advice}")
    return content
