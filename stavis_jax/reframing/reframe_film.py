"""Reframes one film: predicts or reads its maps, plans the crops, and writes a folder."""

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.films.encoded_film import first_picture_seconds
from data_pipelines.films.film import Film, FilmFrame
from data_pipelines.films.sound_place import sound_place
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.folders import is_clutter, is_free
from stavis_jax.maps.map_folders import MapFolder
from stavis_jax.outputs.folder import SETTINGS as PREDICTION
from stavis_jax.outputs.folder import finished_folder
from stavis_jax.prediction.api import Advance, predict_film
from stavis_jax.prediction.protocol import SaliencyModel
from stavis_jax.reframing import xmeml
from stavis_jax.reframing.crop_film import film_name, preview_name, write_films
from stavis_jax.reframing.ffmpeg_script import commands_name, script_name, write_script
from stavis_jax.reframing.path_files import write_csv, write_json
from stavis_jax.reframing.plan import Analysis, Plan, PlanOptions, plan
from stavis_jax.reframing.ratio import Ratio
from stavis_jax.reframing.saliency_profile import SaliencyProfiles
from stavis_jax.reframing.shots import CutDetector

SETTINGS = "reframing.json"  # marks a folder as written by this module
_NAME = re.compile(r"[\d.]+x[\d.]+(\.mp4|_preview\.mp4|\.csv|\.json|_ffmpeg\.sh|_crop\.txt|\.xml)")
COMPARED_SIZE = 112  # pixels a side, of the frames in which cuts are looked for where no network reads them

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReframeOptions:
    """Options of `write_reframed`.

    Attributes:
      ratios: aspect ratios of the films to write.
      plan: how the crop moves and when the picture is padded.
      preview: whether to write films with the crop drawn on them.
    """

    ratios: Sequence[Ratio]
    plan: PlanOptions = PlanOptions()
    preview: bool = False


def analyse_film(film: Film, model: SaliencyModel, how: Mapping[str, Any], advance: Advance) -> Analysis:
    """Predicts a film and finds its cuts in the same frames. `how`: arguments of `predict_film`."""
    profiles, cuts, seconds = SaliencyProfiles(), CutDetector(), []

    def watch(frame: FilmFrame) -> None:
        cuts.add(frame.picture, frame.seconds)

    for prediction in predict_film(film, model, watch=watch, **how):
        profiles.add(prediction.saliency)
        seconds.append(prediction.seconds)
        advance(1)
    return Analysis(profiles, np.array(seconds), cuts.shot_starts())


def analyse_maps(film: Film, folder: Path, advance: Advance) -> Analysis:
    """Reads a film's maps from a folder of pictures, or from the folder that `predict` wrote.

    Raises:
      UserError: there is not one map for each frame, of one size.
    """
    is_prediction = (folder / PREDICTION).is_file()
    if is_prediction and not (folder / "maps").is_dir():
        raise UserError(f"{folder}: was predicted without pictures of maps. Predict it with --outputs maps.")
    maps = MapFolder(folder / "maps" if (folder / "maps").is_dir() else folder)
    profiles, cuts, seconds = SaliencyProfiles(), CutDetector(), []
    shape = None
    for number, frame in enumerate(film.frames(COMPARED_SIZE), start=1):
        if number not in maps:
            raise UserError(f"{folder}: has no map of frame {number}. Write the maps of all frames of {film.path}.")
        saliency_map = maps[number]
        shape = shape or saliency_map.shape
        if saliency_map.shape != shape:
            raise UserError(f"{folder}: the map of frame {number} has another size. Write all maps at one size.")
        profiles.add(saliency_map)
        cuts.add(frame.picture, frame.seconds)
        seconds.append(frame.seconds)
        advance(1)
    if len(maps) != len(seconds):
        raise UserError(f"{folder}: has {len(maps)} maps, but {film.path} has {len(seconds)} frames. Give its own.")
    if maps.coloured:
        _log.warning("%s: %d maps have colours, and only the red is read. Give grey maps.", folder, len(maps.coloured))
    return Analysis(profiles, np.array(seconds), cuts.shot_starts())


def write_reframed(
    film: Film,
    folder: Path,
    analyse: Callable[[Advance], Analysis],
    options: ReframeOptions,
    settings: Mapping[str, Any],
    *,
    overwrite: bool = False,
    advance: Advance = lambda done: None,
) -> list[Plan]:
    """Writes a folder with the reframed films of all ratios, and their paths. It appears when all is written.

    Args:
      film: the film.
      folder: to write.
      analyse: returns the maps and cuts of the film; called once, with `advance`.
      options: what is written.
      settings: noted in the folder, such as the network.
      overwrite: whether to replace what this function wrote earlier.
      advance: called with 1 for every frame that is analysed, and for every one that is written.

    Returns:
      The plan of each ratio.

    Raises:
      UserError: the film cannot be read, the folder cannot be written, or it holds something else.
    """
    check_replaceable(folder, overwrite)
    with finished_folder(folder, lambda place: check_replaceable(place, overwrite)) as unfinished:
        analysis = analyse(advance)
        size = film.width, film.height
        plans = [plan(analysis, ratio, size, film.pixel_aspect, options.plan) for ratio in options.ratios]
        write_films(film, plans, unfinished, preview=options.preview, advance=advance)
        for made in plans:
            _write_paths(film, made, unfinished)
        facts = {"settings": {**settings, **asdict(options.plan)}, "ratios": [made.ratio.text for made in plans]}
        (unfinished / SETTINGS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return plans


def written_names(made: Plan) -> list[str]:
    """Returns the names of all files that may be written for a ratio."""
    name = made.ratio.name
    return [
        *(film_name(made), preview_name(made), f"{name}.csv", f"{name}.json"),
        *(script_name(made), commands_name(made), xmeml.file_name(made)),
    ]


def check_replaceable(folder: Path, overwrite: bool) -> None:
    """Raises UserError unless a folder is missing, is empty, or was written by `write_reframed` and may be replaced."""
    advice = "Use another --output."
    if folder.is_symlink():
        raise UserError(f"{folder}: is a link and is not replaced. {advice}")
    if is_free(folder):
        return
    if not folder.is_dir() or not (folder / SETTINGS).is_file():
        raise UserError(f"{folder}: is not a reframed film and is not overwritten. {advice}")
    if not overwrite:
        raise UserError(f"{folder}: exists already. Use --overwrite to replace it, or another --output.")
    for path in folder.iterdir():
        if not (path.name == SETTINGS or _NAME.fullmatch(path.name) or is_clutter(path.name)):
            raise UserError(
                f"{folder}: holds {path.name}, which is not part of a reframed film, so it is not overwritten. {advice}"
            )


def _write_paths(film: Film, made: Plan, folder: Path) -> None:
    write_csv(folder / f"{made.ratio.name}.csv", made)
    write_json(folder / f"{made.ratio.name}.json", made)
    if film.path.is_dir():  # neither ffmpeg nor an editor reads the folder as this project does
        return
    sound = sound_place(film)
    write_script(folder, made, film.path, first_picture_seconds(film), sound)
    facts = xmeml.FilmFacts(film.path, film.name, film.nominal_rate_hz, sound)
    xmeml.write_xmeml(folder / xmeml.file_name(made), made, facts)
