"""Finds and reads a user's gaze files, of all formats."""

import logging
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from data_pipelines.ingestion import gaze_tables
from data_pipelines.ingestion.gaze import GazeTables
from data_pipelines.ingestion.gaze_formats import registry
from data_pipelines.ingestion.given_maps import find_map_folders
from data_pipelines.ingestion.given_maps_of_pictures import find_map_pictures
from data_pipelines.raw.layout import FOLDERS
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.folders import is_system_name

_log = logging.getLogger(__name__)


def gaze_files(
    paths: Sequence[Path | str], stills: bool = False, skipped: Collection[Path] = ()
) -> list[tuple[Path, str]]:
    """Returns the tables of files and folders, each with the name of its film, for tables without a column `video`.

    A file is named after its film. In a folder within one of the paths, files are named after observers, and the folder
    after the film. What lies below the folders `skipped` is left out.

    Raises:
      UserError: a path is missing, or no file is found.
    """
    files: list[tuple[Path, str]] = []
    suffixes = (*gaze_tables.SUFFIXES, *registry.SUFFIXES, *((".json",) if stills else ()))
    for path in map(Path, paths):
        if not path.exists():
            raise UserError(f"{path}: no such file or folder. Give tables of gaze, or folders of them.")
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in found:
            hidden = any(map(is_system_name, file.relative_to(path).parts)) or not {*file.parents}.isdisjoint(skipped)
            is_gaze = file.name.lower().endswith(suffixes) or registry.is_gaze_in_json(file)
            if file == path or (file.is_file() and not hidden and is_gaze):
                files.append((file, file.stem if file == path or file.parent == path else file.parent.name))
    if not files:
        raise UserError(f"{paths[0]}: holds no {', '.join(suffixes)} file. Give tables of gaze.")
    return list(dict(files).items())


def read_gaze(
    paths: Sequence[Path | str],
    columns: Mapping[str, str] | None = None,
    *,
    stills: bool = False,
    raw: Path | None = None,
) -> GazeTables:
    """Reads all files.

    The content of a file tells whether it has a known format (see `gaze_formats.registry`); all others are tables.
    Folders of maps are described in `given_maps`.

    Required columns of a table are x, y and one of time (seconds), time_ms and frame (from 1), of which the first
    present is used.
    Gaze on pictures needs no time, and times are not used. Their name may be in a column video, picture or image.
    A row at exactly (0, 0) has no position: trackers write this for a lost eye.

    Args:
      paths: tables, recordings of trackers, files or maps of databases, or folders of them.
      columns: our names, of COLUMNS -> the names in the files, where they differ. Case does not matter.
      stills: whether the gaze is on pictures.
      raw: raw data folder that the gaze is for. If it lies in one of the folders, its own files are no gaze.

    Raises:
      UserError: a table cannot be read. The message names the file and the line.
    """
    columns = gaze_tables.checked_columns(columns)
    skipped = [folder for path in paths for folder in _own_folders(raw, Path(path))] if raw else []
    maps, others = find_map_pictures(paths) if stills else find_map_folders(paths, skipped)
    tables = GazeTables(maps=maps)
    files = gaze_files(others, stills, skipped) if others else []
    formats = {path: registry.format_of(path, bool(columns)) for path, _ in files}
    given, num_tables = {path for path, _ in files}, 0
    beside = _texts_beside_recordings(formats, set(map(Path, paths)), columns)
    for path, film in files:
        file_format = formats[path]
        if path in beside:
            continue
        if file_format is None:
            num_tables += 1
            gaze = gaze_tables.read_table(path, film, columns, tables, stills)
        elif registry.has_better_file(file_format, path, given):
            continue
        else:
            recording = file_format.read(path, film)
            gaze = recording.gaze
            tables.num_rows += recording.num_rows
            tables.num_missing += recording.num_missing
        for video, part in gaze.items():
            tables.gaze.setdefault(video, []).append(part)
    if columns and not num_tables:
        _log.warning("--columns: has no effect, because the gaze is in formats with names of their own.")
    return tables


def _texts_beside_recordings(
    formats: Mapping[Path, registry.GazeFormat | None], named: Collection[Path], columns: Mapping[str, str]
) -> list[Path]:
    """Returns the files without gaze, if there are recordings. A warning counts them.

    Args:
      formats: the format of each file; None for a table.
      named: files that the user names. They are meant as gaze.
      columns: names of the tables' columns.
    """
    if not any(map(registry.is_recording, formats.values())):
        return []
    beside = [
        path
        for path, file_format in formats.items()
        if file_format is None and path not in named and not gaze_tables.has_positions(path, columns)
    ]
    if beside:
        _log.warning(
            "%d files beside the recordings have no columns x and y and are left out; first: %s.",
            len(beside),
            beside[0],
        )
    return beside


def _own_folders(raw: Path, path: Path) -> list[Path]:
    """Returns the folders of a raw data folder that lie below `path`, as paths that begin with it."""
    whole = Path(os.path.realpath(path))  # as `resolve`, which raises for a link to itself
    folders = [Path(os.path.realpath(raw)) / name for name in FOLDERS]
    return [path / folder.relative_to(whole) for folder in folders if whole in folder.parents]
