"""One film -> its folder: maps, overlay film and what else is asked for."""

import dataclasses
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.films.film import Film, film_name, open_film
from data_pipelines.films.frame_folder import pictures_in
from data_pipelines.inputs.resizing import ResizeFilter
from data_pipelines.runtime.errors import UserError
from stavis_jax.experiments.workdir import versions
from stavis_jax.outputs.folder import finished_folder, is_done, write_settings
from stavis_jax.outputs.kinds import DEFAULT_OUTPUTS, OutputOptions, is_output, open_outputs
from stavis_jax.outputs.write_behind import WriteBehind
from stavis_jax.prediction.api import Advance, SaliencyModel, predict_film


@dataclasses.dataclass(frozen=True)
class PredictionOptions:
    """How a film is predicted and what is written of it.

    Attributes:
      outputs: of reports.outputs.OUTPUTS.
      appearance: how they look.
      batch_size: clips a call of the network.
      stride: every how many frames the network is asked, at most 64; predictions between are interpolated in time.
      resize_filter: that of the data the network was trained with.
    """

    outputs: Sequence[str] = DEFAULT_OUTPUTS
    appearance: OutputOptions = OutputOptions()
    batch_size: int = 4
    stride: int = 1
    resize_filter: ResizeFilter = "bicubic"


def write_predictions(
    film: Film | Path | str,
    folder: Path,
    model: SaliencyModel,
    options: PredictionOptions = PredictionOptions(),
    *,
    overwrite: bool = False,
    start: Callable[[int | None], Advance] = lambda num_frames: lambda done: None,
) -> int | None:
    """Predicts a film and writes the outputs into a folder, which appears when all is written.

    `start` is called with the film's number of frames, as far as it is known; what it returns, after every frame.
    Returns the number of frames; None if the folder holds just that already. Raises `UserError` if the film cannot be
    read, the folder holds something else (unless `overwrite` and it is a prediction), or it cannot be written.
    """
    film = open_film(film) if isinstance(film, Path | str) else film
    options.appearance.check(getattr(model, "uses_sound", True))
    settings = _settings(film, model, options)
    if is_done(folder, settings, is_output, overwrite):
        return None
    with finished_folder(folder, is_output) as unfinished:
        advance, number = start(film.num_frames), 0
        sinks = open_outputs(options.outputs, unfinished, film, options.appearance)
        with WriteBehind(sinks) as writer:
            how = {name: getattr(options, name) for name in ("batch_size", "stride", "resize_filter")}
            for prediction in predict_film(film, model, **how):
                writer.add(prediction)
                number = prediction.number
                advance(1)
            writer.finish()
        write_settings(unfinished, settings, {"frames": number, "versions": versions()})
    return number


def output_folders(films: Sequence[Path], output: Path) -> list[Path]:
    """The folder of each film, output/<its name>; opens none. Raises `UserError` if two films share one."""
    folders: dict[str, Path] = {}
    for film in films:
        other = folders.setdefault(film_name(film).casefold(), film)  # some file systems do not tell A from a
        if other is not film:
            raise UserError(f"{film}: its maps would go where those of {other} go. Predict them to different --output.")
    return [output / film_name(film) for film in films]


def _settings(film: Film, model: Any, options: PredictionOptions) -> dict[str, Any]:
    """What the files depend on."""
    is_folder = film.path.is_dir()
    settings = {
        "film": film.path.name,
        "number of pictures": film.num_frames if is_folder else None,
        "film size in bytes": _size(pictures_in(film.path) if is_folder else [film.path]),
        "frame rate in Hz": film.frame_rate_hz if is_folder else None,  # a film file has its own
        **_other_sound(film),
        "variant": getattr(model, "variant", "not known"),
        "checkpoint": _checksum(getattr(model, "weights", {})),
        "outputs": sorted(options.outputs),
        "stride": options.stride,
        "resize-filter": options.resize_filter,
    }
    return settings | {
        name.replace("_", "-"): list(value) if isinstance(value, tuple) else value
        for name, value in dataclasses.asdict(options.appearance).items()
    }


def _other_sound(film: Film) -> dict[str, Any]:
    """Where the sound is from, if not from the film's own file: a file in a folder of pictures, or elsewhere."""
    path = film.sound_path
    if path is None or path == film.path:
        return {"sound": None, "sound size in bytes": None}
    is_inside = path.resolve().parent == film.path.resolve()  # such a folder may move
    return {"sound": path.name if is_inside else str(path.resolve()), "sound size in bytes": _size([path])}


def _size(files: Sequence[Path]) -> int:
    """Of all together, bytes."""
    return sum(file.stat().st_size for file in files if file.is_file())


def _checksum(weights: dict[str, Any]) -> str:
    """Of a network's arrays: CRC-32, to tell checkpoints apart."""
    checksum = 0
    for name in sorted(weights):
        checksum = zlib.crc32(np.ascontiguousarray(weights[name]).data, zlib.crc32(name.encode(), checksum))
    return f"{checksum:08x}"
