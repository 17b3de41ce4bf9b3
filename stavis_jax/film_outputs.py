"""One film -> its folder: maps, overlay film and what else is asked for."""

import dataclasses
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.errors import UserError
from data_pipelines.film import Film, open_film
from data_pipelines.transforms import ResizeFilter
from stavis_jax.background import WriteBehind
from stavis_jax.prediction import Advance, SaliencyModel, predict_film
from stavis_jax.prediction_folder import finished_folder, is_done, write_settings
from stavis_jax.reports.outputs import DEFAULT_OUTPUTS, OutputOptions, file_names, open_outputs
from stavis_jax.workdir_settings import versions


@dataclasses.dataclass(frozen=True)
class PredictionOptions:
    """How a film is predicted and what is written of it.

    Attributes:
      outputs: of reports.outputs.OUTPUTS.
      appearance: how they look.
      batch_size: clips a call of the network.
      stride: every how many frames the network is asked; predictions between are interpolated in time.
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
    if is_done(folder, settings, file_names(), overwrite):
        return None
    with finished_folder(folder) as unfinished:
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


def output_folders(films: Sequence[Film], output: Path) -> list[Path]:
    """The folder of each film, output/<its name>. Raises `UserError` if two films share one."""
    folders: dict[str, Film] = {}
    for film in films:
        other = folders.setdefault(film.name.casefold(), film)  # some file systems do not tell A from a
        if other is not film:
            raise UserError(
                f"{film.path}: its maps would go where those of {other.path} go. Predict them to different --output."
            )
    return [output / film.name for film in films]


def _settings(film: Film, model: Any, options: PredictionOptions) -> dict[str, Any]:
    """What the files depend on."""
    size = film.path.stat().st_size if film.path.is_file() else None
    settings = {
        "film": film.path.name,
        "film size in bytes": size,
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


def _checksum(weights: dict[str, Any]) -> str:
    """Of a network's arrays: CRC-32, to tell checkpoints apart."""
    checksum = 0
    for name in sorted(weights):
        checksum = zlib.crc32(np.ascontiguousarray(weights[name]).data, zlib.crc32(name.encode(), checksum))
    return f"{checksum:08x}"
