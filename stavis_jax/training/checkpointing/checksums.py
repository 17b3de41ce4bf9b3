"""Computes and compares checksums of a checkpoint's arrays. Orbax stores none, so a changed bit would go unnoticed."""

import dataclasses
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from stavis_jax.training.progress import Progress

ITEM = "checksums"  # of a checkpoint; those of earlier versions lack it


def checksums_to_save(arrays: Mapping[str, Any], progress: Progress) -> ocp.args.JsonSave:
    """Returns the item of a checkpoint that holds the checksums of its arrays, which every host has, and progress."""
    return ocp.args.JsonSave(checksums_of(arrays, dataclasses.asdict(progress)))


def checksums_to_restore(checkpoint: Path) -> dict[str, ocp.args.JsonRestore]:
    """Returns the item to restore from a checkpoint's folder; none if it was saved without checksums."""
    return {ITEM: ocp.args.JsonRestore()} if (checkpoint / ITEM).is_dir() else {}


def check_restored(restored: Mapping[str, Any]) -> None:
    """Raises ValueError if the arrays or the progress differ from what was saved.

    Args:
      restored: items "state" and "progress", and "checksums" unless an earlier version saved the checkpoint.
    """
    saved = restored.get(ITEM)
    if saved is None:
        return
    if not (isinstance(saved, dict) and isinstance(saved.get("arrays"), dict)):
        raise ValueError("its checksums cannot be read")
    found = checksums_of(restored["state"], restored["progress"])
    if found["progress"] != saved.get("progress"):
        raise ValueError("the progress has changed since it was saved")
    arrays = saved["arrays"]
    changed = [
        name for name in sorted(found["arrays"].keys() | arrays) if found["arrays"].get(name) != arrays.get(name)
    ]
    if changed:
        count = "1 array has" if len(changed) == 1 else f"{len(changed)} arrays have"
        raise ValueError(f"{count} changed since they were saved, such as array {changed[0]}")


def checksums_of(arrays: Mapping[str, Any], progress: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the CRC-32 of every array and of the progress, as JSON has it."""
    text = json.dumps(progress, sort_keys=True)
    return {"arrays": {name: _crc32(array) for name, array in arrays.items()}, "progress": zlib.crc32(text.encode())}


def _crc32(array: Any) -> int:
    """Returns the checksum of an array's bytes and type. Every host must have all of it."""
    here = np.ascontiguousarray(array.addressable_shards[0].data if isinstance(array, jax.Array) else array)
    return zlib.crc32(here.reshape(-1).view(np.uint8).data, zlib.crc32(f"{here.dtype} {here.shape}".encode()))
