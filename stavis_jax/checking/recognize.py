"""Recognizes what a path holds, and calls the check for it."""

from collections.abc import Iterator
from pathlib import Path

from data_pipelines.runtime.folders import subfolders
from stavis_jax.checking.checkpoints import check_checkpoints, is_checkpoints
from stavis_jax.checking.finding import Finding, unreadable
from stavis_jax.checking.run import check_run, holds_weights, is_run
from stavis_jax.checking.shards import check_shards, is_shards
from stavis_jax.checking.weights import check_weights_directory, check_weights_file
from stavis_jax.weights.directory import ARRAYS_FILE

RAW_FOLDERS = ("video_frames", "annotations", "video_audio", "fold_lists")
GIVEN = "Give a folder of shards, a working directory, a weights directory, or a .pth, .safetensors or .npy file."


def check_path(path: Path) -> Iterator[Finding]:
    """Yields findings for everything in a path. A folder of several such things is checked one by one.

    What cannot be read does not keep the rest from being checked.
    """
    try:
        yield from _check(path)
    except (OSError, MemoryError) as error:
        yield unreadable(path, error)


def _check(path: Path) -> Iterator[Finding]:
    if path.is_file():
        inside = path.name == ARRAYS_FILE and holds_weights(path.parent)
        yield check_weights_directory(path.parent) if inside else check_weights_file(path)
        return
    if not path.is_dir():
        is_there = path.is_symlink() or path.exists()
        fault = "is neither a file nor a folder" if is_there else "no such file or directory"
        yield Finding(path, f"{fault}. {GIVEN}", "not checked")
        return
    found = False
    failure: OSError | MemoryError | None = None
    for holder in (path, *subfolders(path)):
        try:
            for finding in _check_folder(holder):
                found = True
                yield finding
        except (OSError, MemoryError) as error:
            if holder is path and not found:
                failure = error  # perhaps of one of the folders in it, which come next
                continue
            found = True
            yield unreadable(holder, error)
        if found and holder is path:
            return
    if not found and failure:
        yield unreadable(path, failure)
    elif not found:
        yield Finding(path, f"holds nothing that this command checks. {GIVEN}", "not checked")


def _check_folder(folder: Path) -> Iterator[Finding]:
    if holds_weights(folder):
        yield check_weights_directory(folder)
    elif is_shards(folder):
        yield from check_shards(folder)
    elif any((folder / name).is_dir() for name in RAW_FOLDERS):
        advice = "To check gaze, use `python -m data_pipelines.ingest --check`. Prepare it to read all of it."
        yield Finding(folder, f"is raw data, which this command does not read. {advice}", "not checked")
    elif is_run(folder):
        yield from check_run(folder)
    elif is_checkpoints(folder):
        yield from check_checkpoints(folder)
