"""The interface that every output implements."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from data_pipelines.films.film import Film, Picture
from stavis_jax.outputs.options import OutputOptions
from stavis_jax.prediction.frame_prediction import FramePrediction

# Writes one frame: its prediction, and its picture for outputs that need pictures. Frames come in order, without gaps.
WriteFrame = Callable[[FramePrediction, Picture | None], object]


class FrameWriter(Protocol):
    """Opens one output of one film. Its memory must not grow with the film."""

    def __call__(self, path: Path, film: Film, options: OutputOptions) -> AbstractContextManager[WriteFrame]:
        """Returns a context manager. A normal exit completes the file; an error closes it incomplete.

        Args:
          path: the file or folder to write, which does not exist. The caller removes it after an error.
          film: the film.
          options: how the output looks.
        """
