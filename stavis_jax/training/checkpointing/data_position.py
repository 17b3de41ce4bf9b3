"""Saves and restores the position in the data: one for all hosts, whatever their number.

Every host reads its share of the same batches, so the number of batches says where each of them is.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orbax.checkpoint as ocp

ITEM = "batches"  # folder of a checkpoint


def position_to_save(batches: Any) -> ocp.args.JsonSave:
    """Returns what to save of an iterator whose `get_state` returns JSON. The first host writes it."""
    return ocp.args.JsonSave({"position": batches.get_state()})


def position_to_restore(checkpoint: Path) -> dict[str, ocp.args.JsonRestore]:
    """Returns the item to restore from a checkpoint folder: none if it is older, with a file for each host."""
    return {} if _files_of_hosts(checkpoint) else {ITEM: ocp.args.JsonRestore()}


def move_to(batches: Iterator, restored: Any, checkpoint: Path) -> None:
    """Moves an iterator to the position of a restored checkpoint.

    Raises:
      ValueError, KeyError, TypeError, OSError: the position is missing or damaged.
    """
    files = _files_of_hosts(checkpoint)
    state = json.loads(files[0].read_text()) if files else restored[ITEM]["position"]
    batches.set_state(state)  # type: ignore[attr-defined]


def _files_of_hosts(checkpoint: Path) -> list[Path]:
    """Returns the files of grain, whose content is the same for all hosts."""
    return sorted((checkpoint / ITEM).glob("process_*-of-*.json"))
