"""Predicts the film that was dropped on the page."""

import contextvars
import dataclasses
import html
import threading
from collections.abc import Callable
from pathlib import Path

from data_pipelines.runtime.errors import Stopped
from stavis_jax.outputs.options import OutputOptions, PredictionOptions
from stavis_jax.outputs.write import StartProgress, write_predictions
from stavis_jax.prediction.api import Advance
from stavis_jax.prediction.protocol import SaliencyModel

OUTPUTS = ("overlay", "track", "npz")


class Work:
    """The running prediction.

    Attributes:
      running: held during a prediction.
      stop: set to end the prediction after its next frame.
    """

    def __init__(self):
        self.running, self.stop = threading.Lock(), threading.Event()

    def end(self, within_seconds: float) -> None:
        """Ends the running prediction. No other can start afterwards."""
        self.stop.set()
        self.running.acquire(timeout=within_seconds)


def predict_for_page(
    film: Path, folder: Path, model: SaliencyModel, options: OutputOptions, start: StartProgress
) -> int:
    """Writes `OUTPUTS` of a film into a folder, and returns the number of frames.

    The pane "localization" is left out if the network does not use sound. Errors: see `write_predictions`.
    """
    if not model.uses_sound:
        options = dataclasses.replace(options, panes=[pane for pane in options.panes if pane != "localization"])
    return write_predictions(film, folder, model, PredictionOptions(OUTPUTS, options), start=start) or 0


def status_line(message: str, kind: str = "done") -> str:
    """Returns a message as HTML. It may contain the name of a film, so it is escaped."""
    return f'<p class="{kind}" role="status">{html.escape(" ".join(message.split()))}</p>'


def shown_in(progress: Callable[..., object], stop: threading.Event) -> StartProgress:
    """Returns `start` of `write_predictions`: shows the progress on the page, and raises `Stopped` if `stop` is set."""
    context = contextvars.copy_context()  # by which Gradio finds the page; the calls may come from other threads

    def start(total: int | None) -> Advance:
        done = 0

        def advance(num_frames: int) -> None:
            nonlocal done
            if stop.is_set():
                raise Stopped("Stopped.")
            done += num_frames
            context.copy().run(progress, (done, total), desc="Predicting", unit="frames")

        advance(0)
        return advance

    return start


def new_folder(results: Path, name: str) -> Path:
    """Returns a folder in `results` that does not exist, named after a film."""
    name = name.strip(".") or "film"
    folder, number = results / name, 1
    while folder.exists():
        number += 1
        folder = results / f"{name}-{number}"
    return folder
