"""Chooses the stride with which a film is predicted, and its outputs are written, in real time on this machine."""

import contextlib
import tempfile
from pathlib import Path

from data_pipelines.films.film import Film
from stavis_jax.outputs.options import PredictionOptions
from stavis_jax.outputs.registry import open_outputs
from stavis_jax.outputs.write_behind import write_behind
from stavis_jax.prediction.api import predict_film
from stavis_jax.prediction.frame_prediction import FramePrediction
from stavis_jax.prediction.protocol import SaliencyModel
from stavis_jax.prediction.real_time import RealTimeChoice, measured_rate, real_time_choice


def real_time_stride(film: Film, model: SaliencyModel, options: PredictionOptions, folder: Path) -> RealTimeChoice:
    """Chooses the stride with which a film is predicted, and its outputs are written, in real time.

    Predicts the film's first frames with a few strides, and writes them into a folder of its own within `folder`, which
    is removed.
    """

    def rate(stride: int, batch: int) -> float:
        with tempfile.TemporaryDirectory(dir=folder) as measured:
            return _rate(film, model, options, (stride, batch), Path(measured))

    return real_time_choice(model, film.frame_rate_hz, options.batch_size, rate)


class _MeasuredError(Exception):
    """Closes outputs that are not wanted, since an error leaves them incomplete, which is fast."""


def _rate(
    film: Film, model: SaliencyModel, options: PredictionOptions, stride_and_batch: tuple[int, int], folder: Path
) -> float:
    stride, batch = stride_and_batch
    rate, num_written = 0.0, 0
    with (
        contextlib.suppress(_MeasuredError),
        open_outputs(options.outputs, folder, film, options.appearance) as write,
    ):

        def write_and_count(prediction: FramePrediction) -> None:
            nonlocal num_written
            write(prediction)
            num_written += 1

        with write_behind(write_and_count) as write_later:
            predictions = predict_film(
                film, model, batch_size=batch, stride=stride, resize_filter=options.resize_filter, warn=False
            )
            rate = measured_rate(map(write_later, predictions), batch * stride, lambda: num_written)
            raise _MeasuredError
    return rate
