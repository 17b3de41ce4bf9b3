"""Chooses the stride with which a film is predicted in real time: in no more time than the film lasts.

A frame costs what reading and writing it takes, which no stride changes, and the time of a clip over the stride. So a
stride that is k times as large makes at most k times as many maps a second. Strides that cannot be enough are left out.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Iterable

import numpy as np

from data_pipelines.films.film import Film
from data_pipelines.inputs.resizing import ResizeFilter
from stavis_jax.prediction.api import predict_film, predict_frames
from stavis_jax.prediction.frame_stream import LARGEST_STRIDE, usual_batch_size
from stavis_jax.prediction.model import StavisModel
from stavis_jax.prediction.protocol import SaliencyModel

HEADROOM = 1.05  # of the frame rate, since the speed of a machine varies
MEASURED_SECONDS = 1.5
AS_GOOD = 0.9  # a stride with this share of the best rate is as good as the best one


@dataclasses.dataclass(frozen=True)
class RealTimeChoice:
    """A stride and the rate that was measured with it.

    Attributes:
      stride: the stride.
      maps_per_second: maps of frames, interpolated ones included.
      frame_rate_hz: of the film.
    """

    stride: int
    maps_per_second: float
    frame_rate_hz: float

    @property
    def is_fast_enough(self) -> bool:
        return self.maps_per_second >= self.frame_rate_hz

    @property
    def has_headroom(self) -> bool:
        return self.maps_per_second >= HEADROOM * self.frame_rate_hz

    def line(self) -> str:
        """Returns a line for users."""
        rates = f"stride {self.stride}, {self.maps_per_second:.3g} maps a second for {self.frame_rate_hz:.4g} frames"
        if self.is_fast_enough:
            return f"real time: {rates} a second"
        advice = "Fewer outputs, or a network of depth 10 or 18, take less time."
        return f"real time is out of reach with any stride: {rates} a second. {advice}"


def real_time_choice(
    model: SaliencyModel, frame_rate_hz: float, batch_size: int | None, rate: Callable[[int, int], float]
) -> RealTimeChoice:
    """Chooses the stride of a film.

    Args:
      model: predicts clips. It compiles what it needs before a rate is measured.
      frame_rate_hz: of the film.
      batch_size: clips per call of the model; None: see `real_time_batch`.
      rate: returns how many maps a second are made with a stride and a batch size.
    """

    def measure(stride: int) -> float:
        batch = real_time_batch(model, stride, batch_size)
        blank = np.zeros((1, model.size, model.size, 3), np.uint8)
        predict_frames(blank, None, 1, 1, model, batch_size=batch, stride=stride)  # compiles
        return rate(stride, batch)

    return smallest_fast_stride(frame_rate_hz, measure)


def real_time_prediction(
    film: Film, model: SaliencyModel, batch_size: int | None, resize_filter: ResizeFilter
) -> RealTimeChoice:
    """Chooses the stride for a film without writing its maps. Takes the arguments of `predict_film`."""

    def rate(stride: int, batch: int) -> float:
        predictions = predict_film(
            film, model, batch_size=batch, stride=stride, resize_filter=resize_filter, warn=False
        )
        return measured_rate(predictions, batch * stride)

    return real_time_choice(model, film.frame_rate_hz, batch_size, rate)


def real_time_batch(model: SaliencyModel, stride: int, batch_size: int | None) -> int:
    """Returns how many clips to predict at a time with a stride. A batch size that is given stays.

    A CPU computes clips one by one. So few of them take no more time there, and with a long stride they hold fewer
    frames.
    """
    if batch_size is not None:
        return batch_size
    usual = usual_batch_size(model)
    one_by_one = isinstance(model, StavisModel) and model.form.clip_by_clip
    return max(1, usual // stride) if one_by_one else usual


def smallest_fast_stride(frame_rate_hz: float, measure: Callable[[int], float]) -> RealTimeChoice:
    """Returns the smallest stride that is fast enough and leaves headroom, up to the accuracy of the measurements.

    If none does, returns the smallest measured one that is fast enough at all, or else the smallest one that makes
    nearly as many maps a second as the best one.

    Args:
      frame_rate_hz: of the film.
      measure: returns how many maps a second a stride makes.
    """
    measured: list[RealTimeChoice] = []
    stride = 1
    while True:
        choice = RealTimeChoice(stride, measure(stride), frame_rate_hz)
        if choice.has_headroom:
            return choice
        measured.append(choice)
        if stride == LARGEST_STRIDE:
            best = max(one.maps_per_second for one in measured)
            enough = frame_rate_hz if best >= frame_rate_hz else AS_GOOD * best
            return next(one for one in measured if one.maps_per_second >= enough)
        least = math.ceil(stride * HEADROOM * frame_rate_hz / choice.maps_per_second)
        stride = min(max(stride + 1, least), LARGEST_STRIDE)


def measured_rate(frames: Iterable[object], in_batch: int, num_done: Callable[[], int] | None = None) -> float:
    """Returns how many frames a second are done, of a film that is being predicted. Stops early in a long film.

    Frames come in batches. The first one does not count, since it waits for the frames of a whole clip.

    Args:
      frames: the predictions, as they come.
      in_batch: number of frames that come together.
      num_done: returns how many of them are done with; by default those that have come.
    """
    began = now = time.perf_counter()
    start, done_at_start, number = began, 0, 0
    for number, _ in enumerate(frames, start=1):
        now = time.perf_counter()
        if number == in_batch:
            start, done_at_start = now, num_done() if num_done else number
        elif number % in_batch == 0 and now - start >= MEASURED_SECONDS:
            break
    if number < 2 * in_batch:  # the film is short
        start, done_at_start = began, 0
    done = num_done() if num_done else number
    return max(done - done_at_start, 1) / max(now - start, 1e-6)
