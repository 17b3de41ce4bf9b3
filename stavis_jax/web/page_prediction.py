"""One film for the page: the files of its prediction. Here alone the page meets the prediction."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from stavis_jax.outputs.options import OutputOptions, PredictionOptions
from stavis_jax.outputs.registry import file_names
from stavis_jax.outputs.write import write_predictions
from stavis_jax.prediction.api import Advance, SaliencyModel

OUTPUTS = ("overlay", "track", "npz")
TRACK = ("seconds", "center_x_px", "center_y_px", "entropy_bits")  # columns that the page shows


@dataclasses.dataclass(frozen=True)
class PagePrediction:
    """Files of one film.

    Attributes:
      num_frames: of the film.
      overlay: H.264 film with its sound.
      track: CSV, a row a frame, with the columns `TRACK` among others.
      maps: all maps in one file.
    """

    num_frames: int
    overlay: Path
    track: Path
    maps: Path


def predict_for_page(
    film: Path, folder: Path, model: SaliencyModel, look: OutputOptions, start: Callable[[int | None], Advance]
) -> PagePrediction:
    """Predicts a film into `folder`, which appears when all is written.

    Where the network does not listen, the pane that shows where the sound is is left out. `start`: see
    `write_predictions`.

    Raises:
      UserError: the film cannot be read, or `folder` exists or cannot be written.
    """
    if not model.uses_sound:
        look = dataclasses.replace(look, panes=tuple(pane for pane in look.panes if pane != "localization"))
    num_frames = write_predictions(film, folder, model, PredictionOptions(OUTPUTS, look), start=start)
    return PagePrediction(num_frames, *(folder / name for name in file_names(OUTPUTS)))
