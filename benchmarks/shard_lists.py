"""Lengthens the lists of films of small synthetic shards, so that reading them is like reading real ones."""

import json
from pathlib import Path


def repeat_lists(shards: Path, times: int = 50) -> None:
    """Repeats each film in the shards' lists: real lists have thousands of windows, and grain shuffles few slowly."""
    path = shards / "metadata.json"
    metadata = json.loads(path.read_text(encoding="utf-8"))
    metadata["lists"] = {
        subset: {split: films * times for split, films in splits.items()}
        for subset, splits in metadata["lists"].items()
    }
    path.write_text(json.dumps(metadata), encoding="utf-8")
