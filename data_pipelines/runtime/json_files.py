"""Reads the JSON files that a user, or a stranger, may have changed."""

import json
from pathlib import Path
from typing import Any

from data_pipelines.runtime.errors import UserError


def read_object(path: Path, advice: str) -> dict[str, Any]:
    """The object in a JSON file. Raises UserError, which ends in `advice`, if there is none or it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}). {advice}") from error
    except (ValueError, RecursionError) as error:  # the latter: brackets by the thousand
        raise UserError(f"{path}: damaged ({error}). {advice}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: damaged (a {type(content).__name__} where an object belongs). {advice}")
    return content
