"""Predicts many films with one network. A film that fails does not stop the others."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from data_pipelines.films.film import Film, film_name
from data_pipelines.ingestion.film_names import IMAGES, shown_name
from data_pipelines.runtime.errors import UserError, one_line
from stavis_jax.outputs.options import PredictionOptions
from stavis_jax.outputs.write import StartProgress, write_predictions
from stavis_jax.prediction.protocol import SaliencyModel

MAX_NAMES = 20  # of failed films in the last line


def output_folders(films: Sequence[Path], output: Path) -> list[tuple[Path, Path]]:
    """Returns each film with the folder of its outputs, output/<name of the film>. Opens no film.

    Several folders `images`, as databases publish the frames of films, are named after the folders they lie in.

    Raises:
      UserError: two films have the same folder.
    """
    names = {film: film_name(film) for film in films}
    of_frames = [film for film, name in names.items() if name in IMAGES and film.is_dir()]
    if len(of_frames) > 1:
        names |= {film: shown_name(film) for film in of_frames}
    folders: dict[str, Path] = {}
    for film, name in names.items():
        other = folders.setdefault(name.casefold(), film)  # some file systems ignore case
        if other is not film:
            raise UserError(f"{film}: has the same output folder as {other}. Predict them to different --output.")
    return [(film, output / name) for film, name in names.items()]


def predict_films(
    films: Sequence[tuple[Path, Path]],
    load: Callable[[], SaliencyModel],
    options: PredictionOptions,
    *,
    open_film: Callable[[Path], Film],
    overwrite: bool,
    progress: Callable[[str], AbstractContextManager[StartProgress]],
    say: Callable[[str], object] = print,
) -> Iterator[tuple[Path, int | None]]:
    """Predicts films and yields each folder with its number of frames, or None if it was predicted before.

    All films are opened before the network is loaded, so that wrong paths are reported at once. If there are several
    films, the error of one is printed as a line on stderr.

    Args:
      films: films and the folders of their outputs.
      load: loads the network; called only if a film could be opened.
      options: see `PredictionOptions`.
      open_film: opens a film.
      overwrite: see `write_predictions`.
      progress: returns, for a film's name, a context manager that yields `start` of `write_predictions`.
      say: takes a line about each film whose stride is chosen for real time.

    Raises:
      UserError: at the end, if any film failed; at once, if it is the only one.
    """
    failed: list[Path] = []
    opened: list[tuple[Film, Path]] = []
    for path, folder in films:
        with _error_as_line(path, failed, len(films)):
            film = open_film(path)
            options.appearance.check_film(film)
            opened.append((film, folder))
    if opened:
        model = load()
        options.appearance.check(model.uses_sound)
    for film, folder in opened:
        with _error_as_line(film.path, failed, len(films)):
            with progress(one_line(film.name)) as start:
                num_frames = write_predictions(film, folder, model, options, overwrite=overwrite, start=start, say=say)
            yield folder, num_frames
    if failed:
        names = ", ".join(film.name for film in failed[:MAX_NAMES])
        if len(failed) > MAX_NAMES:
            names += f" and {len(failed) - MAX_NAMES} more"
        raise UserError(
            f"{len(failed)} of {len(films)} films failed: {names}. The lines above give the reasons. Repair "
            "these films, or leave them out."
        )


@contextlib.contextmanager
def _error_as_line(film: Path, failed: list[Path], num_films: int) -> Iterator[None]:
    """Prints a `UserError` of the block on stderr and adds the film to `failed`. With a single film, raises it."""
    try:
        yield
    except UserError as error:
        if num_films == 1:
            raise
        failed.append(film)
        text = str(error) if str(film) in str(error) else f"{film}: {error}"
        print(f"error: {one_line(text)}", file=sys.stderr, flush=True)
