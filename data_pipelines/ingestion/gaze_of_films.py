"""Assigns gaze tables to films, and finds the units and the screen of their positions."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from data_pipelines.ingestion import film_names
from data_pipelines.ingestion.gaze import Conventions, GazeTable, find_units
from data_pipelines.ingestion.given_maps import GivenMaps
from data_pipelines.ingestion.viewing_geometry import Units, Viewing
from data_pipelines.runtime.errors import UserError

_log = logging.getLogger(__name__)


def of_films(
    gaze: Mapping[str, list[GazeTable]], maps: Mapping[str, GivenMaps], files: Mapping[str, Path]
) -> tuple[dict[str, list[GazeTable]], dict[str, GivenMaps]]:
    """Returns the gaze and the maps of each film that has some. A warning counts the videos that match no film.

    Raises:
      UserError: nothing is about a film, or a film has two folders of maps, or maps and gaze.
    """
    videos = [*gaze, *(video for video in maps if video not in gaze)]
    matches = film_names.match_names(videos, files)
    unknown = [video for video in videos if video not in matches]
    if not matches:
        held = f"the tables name {_readable(unknown[0])}" if unknown else "the tables have no usable row"
        raise UserError(
            f"--gaze: {held}, but the films are {', '.join(files)}. Use the names of the films in the tables."
        )
    if unknown:
        _log.warning(
            "%d videos of the gaze tables have no film and are left out; first: %s.",
            len(unknown),
            _readable(unknown[0]),
        )
    gaze_of: dict[str, list[GazeTable]] = {}
    maps_of: dict[str, GivenMaps] = {}
    for video, film in matches.items():
        if video in maps and (film in maps_of or film in gaze_of):
            raise UserError(f"--gaze: {film} has two folders of maps, or maps and gaze. Give one of them.")
        if video in maps:
            maps_of[film] = maps[video]
        else:
            gaze_of.setdefault(film, []).extend(gaze[video])
    return gaze_of, maps_of


def with_flags(
    gaze: Mapping[str, list[GazeTable]], maps: Mapping[str, GivenMaps], units: Units | None, viewing: Viewing
) -> tuple[dict[str, list[GazeTable]], dict[str, GivenMaps], list[Conventions]]:
    """Returns gaze and maps with what is assumed of them: the user's flags, else their files, else their numbers.

    The last result is what was assumed, each kind once.
    """
    unclear = [table for tables in gaze.values() for table in tables if not (units or table.conventions.units)]
    unclear = [table for table in unclear if len(table.x)]
    found: Units = find_units(unclear) if unclear else "pixels"

    def conventions(of: Conventions) -> Conventions:
        return of.with_flags(units or of.units or found, viewing)

    tables = {
        film: [replace(table, conventions=conventions(table.conventions)) for table in of_film]
        for film, of_film in gaze.items()
    }
    given = {
        film: replace(of_film, conventions=of_film.conventions.with_flags(None, viewing))
        for film, of_film in maps.items()
    }
    used = [table.conventions for of_film in tables.values() for table in of_film]
    return tables, given, list(dict.fromkeys([*used, *(maps.conventions for maps in given.values())]))


def _readable(names: str) -> str:
    return " or ".join(map(repr, names.split(film_names.OR)))
