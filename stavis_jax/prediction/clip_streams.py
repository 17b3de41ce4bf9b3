"""Streams that take blocks of a film's frames and predict its overlapping clips.

There is one stream for any model, and one for STAViS networks that shares the stem between overlapping clips.
"""

from typing import Protocol

import jax
import numpy as np

from data_pipelines.inputs import windows
from stavis_jax.models import shared_stem
from stavis_jax.models.resnet3d import STEM_CHANNELS
from stavis_jax.prediction import programs
from stavis_jax.prediction.model import StavisModel
from stavis_jax.prediction.programs import ClipPredictions
from stavis_jax.prediction.protocol import SaliencyModel

LARGEST_SHARED_STRIDE = 4  # clips farther apart share too little to pay for the seven kinds of stem frames


class ClipStream(Protocol):
    """Takes a film's frames in blocks and predicts the `num_clips` newest clips, which start `stride` frames apart.

    Attributes:
      lag: number of frames that must follow a clip's last frame before the clip can be predicted.
    """

    lag: int

    def feed(self, frames: np.ndarray) -> None:
        """Takes the next frames, uint8 [num_clips * stride, S, S, 3]."""

    def predict(self, waveforms: np.ndarray) -> ClipPredictions:
        """Predicts the newest clips in order; the last one ends `lag` frames before the newest frame.

        Takes waveforms [num_clips, 35280]. Returns before the arrays are computed.
        """


def clip_stream(model: SaliencyModel, num_clips: int, stride: int) -> ClipStream:
    """Returns the faster stream for this model."""
    if isinstance(model, StavisModel) and stride <= LARGEST_SHARED_STRIDE:
        return SharedStemStream(model, num_clips, stride)
    return ClipByClipStream(model, num_clips, stride)


class ClipByClipStream:
    """A stream for any model. It runs every clip as a whole."""

    lag = 0

    def __init__(self, model: SaliencyModel, num_clips: int, stride: int):
        self.model = model
        last = np.arange(num_clips) * stride + windows.CLIP_FRAMES
        self.indices = last[:, None] + np.arange(-windows.CLIP_FRAMES, 0)  # [B, 16], into the kept frames
        self.frames = np.zeros((0,), np.uint8)

    def feed(self, frames: np.ndarray) -> None:
        if not len(self.frames):
            self.frames = np.zeros((self.indices.max() + 1, *frames.shape[1:]), np.uint8)
        self.frames = np.concatenate([self.frames, frames])[-len(self.frames) :]

    def predict(self, waveforms: np.ndarray) -> ClipPredictions:
        clip = windows.subtract_mean(self.frames[self.indices])
        if isinstance(self.model, StavisModel):
            return self.model.run(programs.predict_clips, clip, waveforms if self.model.uses_sound else None)
        return ClipPredictions(self.model(clip, waveforms).logits)


class SharedStemStream:
    """A stream for STAViS networks. It runs each frame through the stem once (models/shared_stem.py).

    Each frame is an array of its own, so that keeping some of them copies nothing.
    """

    lag = shared_stem.REACH

    def __init__(self, model: StavisModel, num_clips: int, stride: int):
        self.model, self.num_clips = model, num_clips
        self.products: tuple[jax.Array, ...] = ()  # of the newest 6 frames
        self.stem_frames = shared_stem.NewestStemFrames(num_clips, stride)

    def feed(self, frames: np.ndarray) -> None:
        if not self.products:
            self._check_memory()
        products = (*self.products, *self.model.run(programs.stem_products, windows.subtract_mean(frames)))
        for last in range(shared_stem.TAPS, len(products) + 1):
            self.stem_frames.add(self.model.run(programs.stem_kinds, products[last - shared_stem.TAPS : last]))
        self.products = products[-2 * shared_stem.REACH :]

    def _check_memory(self) -> None:
        """Raises MemoryError if the host's memory is too small for the stem frames.

        They are allocated one by one, and some libraries end the process when an allocation fails.
        """
        device = next(iter(jax.tree.leaves(self.model.device_weights)[0].devices()))
        if device.platform == "cpu":
            side = -(-self.model.size // 2)  # the stem's stride is 2
            np.empty((self.stem_frames.num_kept, side, side, STEM_CHANNELS), np.float32)

    def predict(self, waveforms: np.ndarray) -> ClipPredictions:
        clips = [self.stem_frames.clip(number) for number in range(self.num_clips)]
        if not self.model.form.clip_by_clip:
            return self._after_stem(clips, waveforms)
        return programs.concatenate([self._after_stem([clip], waveforms[i : i + 1]) for i, clip in enumerate(clips)])

    def _after_stem(self, clips: list[tuple[jax.Array, ...]], waveforms: np.ndarray) -> ClipPredictions:
        size = self.model.size, self.model.size
        heard = waveforms if self.model.uses_sound else None
        return self.model.run(programs.predict_after_stem, clips, heard, size=size)
