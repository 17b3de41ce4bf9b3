"""Streams that take blocks of a film's frames and predict its overlapping clips.

There is one stream for any model, and two for STAViS networks that share the stem between overlapping clips: one for
accelerators, which calls one program a batch, and one for CPUs, which computes frame by frame and clip by clip.
"""

from typing import Protocol

import jax
import jax.numpy as jnp
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

    def predict(self, waveforms: np.ndarray, wanted: range | None = None) -> ClipPredictions:
        """Predicts the newest clips in order; the last one ends `lag` frames before the newest frame.

        Args:
          waveforms: [num_clips, 35280].
          wanted: numbers of the clips that are wanted, by default all. Predictions of the others may be any.

        Returns:
          Predictions of all `num_clips` clips. Their arrays may still be computed.
        """


def clip_stream(model: SaliencyModel, num_clips: int, stride: int) -> ClipStream:
    """Returns the faster stream for this model."""
    if not isinstance(model, StavisModel) or stride > LARGEST_SHARED_STRIDE:
        return ClipByClipStream(model, num_clips, stride)
    if model.form.layout == "array":
        return SharedStemBatchStream(model, num_clips, stride)
    return SharedStemStream(model, num_clips, stride)


class ClipByClipStream:
    """A stream for any model. It runs every clip as a whole.

    It calls one program for a batch of a STAViS network, which takes the frames as they are stored.
    """

    lag = 0

    def __init__(self, model: SaliencyModel, num_clips: int, stride: int):
        self.model = model
        self.num_kept = (num_clips - 1) * stride + windows.CLIP_FRAMES
        self.stride = min(stride, windows.CLIP_FRAMES)  # in frames that the clips use
        self.used = [i for i in range(self.num_kept) if i % stride < windows.CLIP_FRAMES]
        self.frames = np.zeros((0,), np.uint8)  # the newest ones

    def feed(self, frames: np.ndarray) -> None:
        if not len(self.frames):
            self.frames = np.zeros((self.num_kept, *frames.shape[1:]), np.uint8)
        self.frames = np.concatenate([self.frames, frames])[-self.num_kept :]

    def predict(self, waveforms: np.ndarray, wanted: range | None = None) -> ClipPredictions:
        used = self.frames if len(self.used) == len(self.frames) else self.frames[self.used]
        if isinstance(self.model, StavisModel):
            heard = waveforms if self.model.uses_sound else None
            return self.model.run(programs.predict_clips, used, heard, stride=self.stride)
        first = np.arange(len(waveforms))[:, None] * self.stride
        clip = windows.subtract_mean(used[first + np.arange(windows.CLIP_FRAMES)])
        logits = jnp.asarray(self.model(clip, waveforms).logits)  # jit does not take PyTorch's tensors
        return ClipPredictions(programs.saliency_of(logits))


class SharedStemBatchStream:
    """A stream for STAViS networks whose videos are arrays. It calls one program for each batch.

    Each call of a program costs an accelerator's host more time than the stem of a frame takes the device.
    """

    lag = 0

    def __init__(self, model: StavisModel, num_clips: int, stride: int):
        self.model, self.num_clips, self.stride = model, num_clips, stride
        side = -(-model.size // 2)  # the stem's stride is 2
        shape = windows.CLIP_FRAMES - stride, side, side, shared_stem.TAPS * STEM_CHANNELS
        self.products = jnp.zeros(shape, model.dtype)  # of the newest frames before `frames`
        self.frames: np.ndarray | None = None  # fed, and not yet sent to the device

    def feed(self, frames: np.ndarray) -> None:
        if self.frames is not None:
            # Before the first whole clip, only the products are of use.
            self.predict(np.zeros((self.num_clips, windows.WAVEFORM_SAMPLES), np.float32))
        self.frames = frames

    def predict(self, waveforms: np.ndarray, wanted: range | None = None) -> ClipPredictions:
        heard = waveforms if self.model.uses_sound else None
        predictions, self.products = self.model.run(
            programs.predict_next_clips, self.products, self.frames, heard, stride=self.stride
        )
        self.frames = None
        return predictions


class SharedStemStream:
    """A stream for STAViS networks whose videos are frames. It runs each frame of a film through the stem once.

    Each frame is an array of its own, so that keeping some of them copies nothing. Frames pass the stem just before the
    clip that they complete, so that no stem frame is kept for later clips of the batch.
    """

    lag = shared_stem.REACH

    def __init__(self, model: StavisModel, num_clips: int, stride: int):
        self.model, self.num_clips, self.stride = model, num_clips, stride
        self.at_once = 1 if model.form.clip_by_clip else num_clips  # clips a call
        self.products: tuple[jax.Array, ...] = ()  # of the newest 6 frames
        self.stem_frames = shared_stem.NewestStemFrames(self.at_once, stride)
        self.waiting: np.ndarray | None = None  # frames that were fed, and did not pass the stem

    def feed(self, frames: np.ndarray) -> None:
        if not self.products:
            self._check_memory()
        if self.waiting is not None:
            self._pass_stem(self.waiting)
        self.waiting = frames

    def _pass_stem(self, frames: np.ndarray) -> None:
        """Adds the stem frames that these frames complete."""
        block = self.at_once * self.stride  # the stem is compiled for so many
        for first in range(0, len(frames), block):
            self._add(windows.subtract_mean(frames[first : first + block]))

    def _add(self, block: np.ndarray) -> None:
        products = (*self.products, *self.model.run(programs.stem_products, block))
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

    def predict(self, waveforms: np.ndarray, wanted: range | None = None) -> ClipPredictions:
        assert self.waiting is not None, "frames are fed before clips are predicted"
        frames, self.waiting = self.waiting, None
        in_flight = self.model.memory_use.clips_in_flight
        predicted: list[ClipPredictions] = []
        places = []
        for first in range(0, self.num_clips, self.at_once):
            numbers = range(first, first + self.at_once)
            self._pass_stem(frames[first * self.stride : (first + self.at_once) * self.stride])
            if wanted is None or any(number in wanted for number in numbers):
                if len(predicted) >= in_flight:
                    predicted[-in_flight].saliency.block_until_ready()
                clips = [self.stem_frames.clip(number) for number in range(self.at_once)]
                predicted.append(self._after_stem(clips, waveforms[first : first + self.at_once]))
            places.append(max(len(predicted) - 1, 0))
        return predicted[0] if len(places) == 1 else programs.concatenate([predicted[place] for place in places])

    def _after_stem(self, clips: list[tuple[jax.Array, ...]], waveforms: np.ndarray) -> ClipPredictions:
        size = self.model.size, self.model.size
        heard = waveforms if self.model.uses_sound else None
        return self.model.run(programs.predict_after_stem, clips, heard, size=size)
