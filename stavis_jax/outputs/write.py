"""Predicts one film and writes its outputs into a folder."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.films.film import Film, open_film
from data_pipelines.films.frame_folder import pictures_in
from data_pipelines.films.still import Still
from data_pipelines.runtime.errors import one_line
from stavis_jax.cli.versions import versions
from stavis_jax.outputs.folder import (
    FILM_SIZE,
    REAL_TIME,
    finished_folder,
    is_done,
    stride_of_real_time,
    write_prediction_settings,
)
from stavis_jax.outputs.options import PredictionOptions
from stavis_jax.outputs.real_time import real_time_stride
from stavis_jax.outputs.registry import check_outputs, open_outputs
from stavis_jax.outputs.write_behind import write_behind
from stavis_jax.prediction.api import Advance, predict_film
from stavis_jax.prediction.protocol import SaliencyModel
from stavis_jax.prediction.real_time import real_time_batch

# Called with the number of frames, or None if it is not known. Returns what is called with 1 after every frame.
StartProgress = Callable[[int | None], Advance]


def write_predictions(
    film: Film | Path | str,
    folder: Path,
    model: SaliencyModel,
    options: PredictionOptions | None = None,
    *,
    overwrite: bool = False,
    start: StartProgress = lambda num_frames: lambda done: None,
    say: Callable[[str], object] = lambda line: None,
) -> int | None:
    """Predicts a film and writes its outputs into a folder, which appears when everything is written.

    Args:
      film: path of a film file, of a folder of frames or of a picture, or an open film.
      folder: the folder of the outputs.
      model: see `SaliencyModel`.
      options: what is written and how it looks; by default `PredictionOptions()`.
      overwrite: whether to replace a prediction made with other settings.
      start: starts a progress bar; see `StartProgress`.
      say: takes a line about the stride that is chosen for real time.

    Returns:
      The number of frames, or None if the folder already holds a prediction with these settings.

    Raises:
      UserError: an option is wrong, the film cannot be read, the folder cannot be written, or it holds something else.
    """
    film = open_film(film, stills=True) if isinstance(film, Path | str) else film
    options = options or PredictionOptions()
    check_outputs(options.outputs, options.appearance)
    options.appearance.check(model.uses_sound)
    options.appearance.check_film(film)
    if options.stride is None and isinstance(film, Still):
        options = dataclasses.replace(options, stride=1)  # it has one frame
    in_real_time = options.stride is None
    earlier_stride = stride_of_real_time(folder) if in_real_time else None  # another measurement may give another
    settings = _settings(film, model, options, earlier_stride or options.stride)
    if is_done(folder, settings, overwrite):
        return None
    with finished_folder(folder) as unfinished:
        if in_real_time:
            choice = real_time_stride(film, model, options, unfinished)
            say(f"{one_line(folder)}: {choice.line()}")
            batch_size = real_time_batch(model, choice.stride, options.batch_size)
            options = dataclasses.replace(options, stride=choice.stride, batch_size=batch_size)
            settings = _settings(film, model, options, choice.stride)
        advance, number = start(film.num_frames), 0
        how: dict[str, Any] = {name: getattr(options, name) for name in ("batch_size", "stride", "resize_filter")}
        outputs = open_outputs(options.outputs, unfinished, film, options.appearance)
        with outputs as write, write_behind(write) as write_later:
            for prediction in predict_film(film, model, **how):
                write_later(prediction)
                number = prediction.number
                advance(1)
        facts = {
            "frames": number,
            FILM_SIZE: (film.width, film.height),
            REAL_TIME: in_real_time,
            "versions": versions(),
        }
        write_prediction_settings(unfinished, settings, facts)
    return number


def _settings(film: Film, model: SaliencyModel, options: PredictionOptions, stride: int | None) -> dict[str, Any]:
    """Returns everything that the outputs depend on. A stride of None is chosen for real time."""
    is_folder = film.path.is_dir()
    settings = {
        "film": film.path.name,
        "number of pictures": film.num_frames if is_folder else None,
        "film size in bytes": _size(pictures_in(film.path) if is_folder else [film.path]),
        "frame rate in Hz": film.frame_rate_hz if is_folder else None,  # a film file has its own
        **_sound_settings(film),
        **model.identity(),
        "outputs": sorted(options.outputs),
        "stride": REAL_TIME if stride is None else stride,
        "resize-filter": options.resize_filter,
    }
    return settings | options.appearance.settings()


def _sound_settings(film: Film) -> dict[str, Any]:
    """Returns which sound is used, unless it is in the film's own file."""
    path = film.sound_path
    if path is None or path == film.path:
        return {"sound": None, "sound size in bytes": None}
    is_inside = path.resolve().parent == film.path.resolve()  # a folder of pictures may move with its sound
    return {"sound": path.name if is_inside else str(path.resolve()), "sound size in bytes": _size([path])}


def _size(files: Sequence[Path]) -> int:
    """Returns the size of all files together, in bytes."""
    return sum(file.stat().st_size for file in files if file.is_file())
