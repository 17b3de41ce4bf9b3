"""Predicts the newest clip whenever the network is free, in a thread of its own."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from data_pipelines.inputs import windows
from stavis_jax.prediction.frame_stream import FRAMES_AFTER_TARGET, FRAMES_BEFORE_TARGET
from stavis_jax.prediction.protocol import SaliencyModel
from stavis_jax.streaming.clip_predictor import ClipPredictor
from stavis_jax.streaming.newest_frames import LiveFrame, NewestFrames, clip_of


@dataclass(frozen=True)
class LiveMap:
    """The map of a frame.

    Attributes:
      frame: the frame.
      saliency: float32 [S, S] in [0, 1].
      ready: when the map was computed, in seconds of `time.monotonic`.
    """

    frame: LiveFrame
    saliency: np.ndarray
    ready: float

    @property
    def latency_seconds(self) -> float:
        """From the capture of the frame to its map."""
        return self.ready - self.frame.captured


class Predictor:
    """Predicts clips of `frames` until no more come.

    Attributes:
      ready: set when the network has been compiled, or has failed.
      ended: set when no map will follow.
      error: what the network raised, or None.
    """

    def __init__(
        self,
        model: SaliencyModel,
        frames: NewestFrames,
        publish: Callable[[LiveMap], object],
        lookahead: int = FRAMES_AFTER_TARGET,
    ):
        """`publish` takes every map, in the thread, and must return at once. `lookahead`: see `clip_of`."""
        self.ready, self.ended = threading.Event(), threading.Event()
        self.error: BaseException | None = None
        self._model, self._frames, self._publish, self._lookahead = model, frames, publish, lookahead
        self._thread = threading.Thread(target=self._run, name="live predictor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout_seconds: float) -> None:
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        try:
            predictor, side = ClipPredictor(self._model), self._model.size
            blank = np.zeros((side, side, 3), np.uint8)
            predictor.predict([LiveFrame(0, 0.0, blank, blank)] * windows.CLIP_FRAMES)  # compiles
            self.ready.set()
            newest = mapped = 0
            # The frames of a slow source, and the last one before a pause, do not wait for the next one.
            while (frames := self._frames.take(newest, hold=self._lookahead if mapped < newest else 0)) is not None:
                newest = frames[-1].number
                clip = clip_of(frames, self._lookahead)
                target = clip[FRAMES_BEFORE_TARGET]
                if target.number <= mapped:  # it was held, and the newest frame ends the gap after it
                    continue
                mapped = target.number
                self._publish(LiveMap(target, predictor.predict(clip), time.monotonic()))
        except BaseException as error:  # the main thread raises it
            self.error = error
        finally:
            self.ready.set()
            self.ended.set()
