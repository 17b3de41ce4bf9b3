"""Checks the checkpoints of a training: restores each on this host, without the network."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orbax.checkpoint as ocp

from data_pipelines.runtime.errors import UserError, reason
from data_pipelines.runtime.json_files import read_object
from data_pipelines.runtime.regular_files import require_regular
from data_pipelines.runtime.text_files import MOST_BYTES, read_text
from stavis_jax.checking.finding import Finding, damaged
from stavis_jax.training.checkpointing.checksums import ITEM, check_restored
from stavis_jax.training.checkpointing.damage import damage_of
from stavis_jax.training.checkpointing.late_answers import ignore_late_answers

FOLDER = "checkpoints"
ADVICE = "The training continues from the checkpoint before it. Delete this one, and check the disk."
ARRAYS_FOLDER = "d"  # of TensorStore: all other files describe
ITEMS = ("state", "batches", "progress")
_NAME = re.compile(r"[0-9]+(\.damaged.*|\.orbax-checkpoint-tmp.*)?")
_OF_HOST = re.compile(r"process_(\d+)-of-(\d+)\.json")


def is_checkpoints(folder: Path) -> bool:
    """Returns whether a folder holds checkpoints."""
    return folder.is_dir() and any(map(_is_checkpoint, folder.iterdir()))


def _is_checkpoint(path: Path) -> bool:
    """Returns whether a path has the name of a checkpoint, whole or not. A picture 0001.png, say, is none."""
    return _NAME.fullmatch(path.name) is not None and os.path.isdir(path)


def check_checkpoints(folder: Path) -> Iterator[Finding]:
    """Yields a finding for every checkpoint in a folder, in the order of the steps."""
    entries = [(path.name.partition("."), path) for path in folder.iterdir() if _is_checkpoint(path)]
    for (_, mark, rest), path in sorted(entries):
        if not mark:
            yield _check_checkpoint(path)
        elif rest == "damaged":
            yield Finding(path, "set aside as damaged by a run that went on without it. Delete it to free the disk.")
        else:
            yield Finding(path, "was never completed. The next run of the training removes it.")


def _check_checkpoint(checkpoint: Path) -> Finding:
    try:
        if missing := [name for name in ITEMS if not (checkpoint / name).is_dir()]:
            raise UserError(f"{', '.join(missing)} is missing. {ADVICE}")
        _check_files(checkpoint)
        progress = _read_json_item(checkpoint / "progress")
        with_checksums = (checkpoint / ITEM).is_dir()
        saved = {ITEM: _read_json_item(checkpoint / ITEM)} if with_checksums else {}
        _check_positions(checkpoint / "batches")
        try:
            state = _read_state((checkpoint / "state").absolute())
            check_restored({"state": state, "progress": progress} | saved)
            epoch = int(progress["epoch"])
        except Exception as error:
            fault = damage_of(error)
            if fault is None:
                raise
            raise UserError(f"{reason(fault)[:200].rstrip('.')}. {ADVICE}") from error
        if infinite := [name for name, array in state.items() if not _is_finite(array)]:
            raise UserError(f"{len(infinite)} arrays are not finite, such as {infinite[0]}. {ADVICE}")
    except UserError as error:
        return damaged(checkpoint, error)
    note = "" if with_checksums else ". It has no checksums: an earlier version saved it"
    return Finding(checkpoint, f"checkpoint after {epoch} epochs, {len(state)} arrays, all finite{note}")


def _check_files(checkpoint: Path) -> None:
    """Raises UserError if a file is a pipe or a device, or if a description is as large as none is.

    The library would wait for a pipe for ever, and reads descriptions into memory.
    """
    for path in sorted(checkpoint.rglob("*")):
        try:
            require_regular(path, None if path.parent.name == ARRAYS_FOLDER else MOST_BYTES)
        except FileNotFoundError:  # a link to nowhere: what is needed is found missing later
            continue
        except OSError as error:
            name = path.relative_to(checkpoint)
            raise UserError(f"{name} cannot be read ({reason(error)}). {ADVICE}") from error


def _read_state(folder: Path) -> dict[str, np.ndarray]:
    ignore_late_answers()
    with ocp.StandardCheckpointer() as reader:
        metadata: Any = reader.metadata(folder)
        tree = getattr(metadata, "item_metadata", metadata)
        tree = getattr(tree, "tree", tree)  # versions of orbax differ
        return reader.restore(folder, {name: np.empty(one.shape, one.dtype) for name, one in tree.items()})


def _read_json_item(folder: Path) -> dict[str, Any]:
    return read_object(folder / "metadata", ADVICE)


def _check_positions(folder: Path) -> None:
    """Raises UserError unless the position in the data of every host is there and can be read."""
    if (folder / "metadata").is_file():  # one position for all hosts
        _read_json_item(folder)
        return
    counts = set()
    for path in folder.iterdir():
        if found := _OF_HOST.fullmatch(path.name):
            counts.add(int(found[2]))
            try:
                json.loads(read_text(path))
            except (OSError, ValueError, RecursionError) as error:
                raise UserError(f"{path.name} cannot be read ({reason(error)}). {ADVICE}") from error
    if not counts:
        raise UserError(f"the position in the data is missing. {ADVICE}")
    for count in counts:
        for host in range(count):
            if not (folder / f"process_{host}-of-{count}.json").is_file():
                raise UserError(f"the position of host {host + 1} of {count} in the data is missing. {ADVICE}")


def _is_finite(array: np.ndarray) -> bool:
    return array.dtype.kind in "biu" or bool(np.isfinite(array.astype(np.float32)).all())
