"""Checks the working directory of a training: checkpoints, weights and the files of numbers."""

import json
from collections.abc import Iterator
from pathlib import Path

from data_pipelines.runtime.errors import UserError, reason
from data_pipelines.runtime.folders import subfolders
from data_pipelines.runtime.json_files import read_object
from data_pipelines.runtime.text_files import read_text
from stavis_jax.checking.checkpoints import FOLDER, check_checkpoints
from stavis_jax.checking.finding import Finding, damaged, unreadable
from stavis_jax.checking.weights import check_weights_directory
from stavis_jax.reports.results_reader import read_film_scores
from stavis_jax.weights.directory import ARRAYS_FILE, INFO_FILE
from stavis_jax.weights.loading import KEPT_BY_TRAINING

CONFIG, JOURNAL, RESULTS = "config.json", "metrics.jsonl", "results.json"


def is_run(folder: Path) -> bool:
    """Returns whether a folder is a working directory, or the part of one stage in it."""
    return (folder / CONFIG).is_file() or _is_stage(folder) or any(map(_is_stage, subfolders(folder)))


def holds_weights(folder: Path) -> bool:
    """Returns whether a folder is a weights directory or what is left of one."""
    return (folder / INFO_FILE).is_file() or (folder / ARRAYS_FILE).is_file()


def check_run(folder: Path) -> Iterator[Finding]:
    """Yields findings for everything in a working directory that a later command reads."""
    if (folder / CONFIG).is_file():
        yield _check_json(folder / CONFIG)
    if (folder / RESULTS).is_file():
        yield _check_results(folder / RESULTS)
    for stage in (folder, *subfolders(folder)):
        try:
            if _is_stage(stage):
                yield from _check_stage(stage)
        except OSError as error:
            yield unreadable(stage, error)


def _check_stage(stage: Path) -> Iterator[Finding]:
    if (stage / JOURNAL).is_file():
        yield check_journal(stage / JOURNAL)
    if (stage / FOLDER).is_dir():
        yield from check_checkpoints(stage / FOLDER)
    yield from (check_weights_directory(stage / name) for name in KEPT_BY_TRAINING if holds_weights(stage / name))


def check_journal(path: Path) -> Finding:
    """Checks that every line of a metrics.jsonl is the object of an epoch."""
    lines: list[str] = []
    done = 0
    try:
        lines = read_text(path).splitlines()
        for line in lines:
            if not isinstance(json.loads(line), dict):
                raise ValueError("expected an object")
            done += 1
    except (OSError, ValueError, RecursionError) as error:
        where = f"line {done + 1}: " if lines else ""
        return damaged(path, f"{where}{reason(error)}. Remove that line: no training continues from it.")
    return Finding(path, f"{len(lines)} epochs")


def _is_stage(folder: Path) -> bool:
    kept = (folder / name for name in KEPT_BY_TRAINING)
    return (folder / FOLDER).is_dir() or any(map(holds_weights, kept))


def _check_json(path: Path) -> Finding:
    try:
        return Finding(path, f"{len(read_object(path, 'Give another --workdir.'))} settings")
    except UserError as error:
        return damaged(path, error)


def _check_results(path: Path) -> Finding:
    advice = "Score again: --mode=evaluate."
    try:
        videos = read_object(path, advice).get("videos")
        if not isinstance(videos, list) or not all(isinstance(video, dict) for video in videos):
            raise UserError(f"it has no list of videos. {advice}")
        methods = dict.fromkeys(str(video.get("method")) for video in videos)
        for method in methods:
            read_film_scores(path, method)
    except UserError as error:
        return damaged(path, error)
    return Finding(path, f"scores of {', '.join(methods) or 'no method'}")
