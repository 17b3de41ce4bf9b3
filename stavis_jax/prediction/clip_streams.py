"""A film's frames, one block after another -> what the network says of its overlapping clips.

Two forms with the same results: any model, clip by clip; and, where clips overlap much, one that shares the stem.
"""

import functools
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from data_pipelines.inputs import windows
from stavis_jax.models import shared_stem
from stavis_jax.models.resnet3d import STEM_CHANNELS
from stavis_jax.models.stavis import NetworkConfig, Outputs, Stavis
from stavis_jax.ops.video import fastest_layout
from stavis_jax.prediction.model import SaliencyModel, clip_by_clip
from stavis_jax.weights.flat_names import Weights, network_from

LARGEST_SHARED_STRIDE = 4  # farther apart, clips share too little to pay for the seven kinds of stem frames


class Predicted(NamedTuple):
    """Of B clips; `localization` None and `attention` () where the model does not tell."""

    logits: Any  # [B, S, S]
    localization: Any = None  # [B, h, w]
    attention: tuple[Any, ...] = ()  # 4 x [B, h, w]


class ClipStream(Protocol):
    """Takes a film's frames in blocks of num_clips * stride, predicts the num_clips newest clips, stride frames apart.

    Attributes:
      lag: frames that must follow a clip's last one before the clip is predicted.
    """

    lag: int

    def feed(self, frames: np.ndarray) -> None:
        """Takes the next frames: uint8 [num_clips * stride, S, S, 3]."""

    def predict(self, waveforms: np.ndarray) -> Predicted:
        """The newest clips in order; the last of them ends `lag` frames before the newest frame.

        `waveforms`: [num_clips, 35280]. Returns at once; the arrays come when they are ready.
        """


def clip_stream(model: Any, num_clips: int, stride: int) -> ClipStream:
    """The faster form for this model."""
    if isinstance(model, SaliencyModel) and stride <= LARGEST_SHARED_STRIDE:
        return SharedStemStream(model, num_clips, stride)
    return ClipByClipStream(model, num_clips, stride)


class ClipByClipStream:
    """For every model that takes clips [B, 16, S, S, 3] minus the mean and waveforms [B, 35280]."""

    lag = 0

    def __init__(self, model: Any, num_clips: int, stride: int):
        self.model = model
        last = np.arange(num_clips) * stride + windows.CLIP_FRAMES
        self.indices = last[:, None] + np.arange(-windows.CLIP_FRAMES, 0)  # [B, 16] into the frames kept
        self.frames = np.zeros((0,), np.uint8)

    def feed(self, frames: np.ndarray) -> None:
        if not len(self.frames):
            self.frames = np.zeros((self.indices.max() + 1, *frames.shape[1:]), np.uint8)
        self.frames = np.concatenate([self.frames, frames])[-len(self.frames) :]

    def predict(self, waveforms: np.ndarray) -> Predicted:
        clip = windows.subtract_mean(self.frames[self.indices])
        if isinstance(self.model, SaliencyModel):
            return _of_clips(self.model.config, self.model.device_weights, clip, _heard(self.model, waveforms))
        return Predicted(self.model(clip, waveforms).logits)


class SharedStemStream:
    """For our own networks: each frame goes through the stem once (models/shared_stem.py).

    Frames are arrays of their own: what is kept of them is never copied to make room.
    """

    lag = shared_stem.REACH

    def __init__(self, model: SaliencyModel, num_clips: int, stride: int):
        self.model, self.num_clips = model, num_clips
        self.products: tuple[jax.Array, ...] = ()  # of the newest 6 frames
        self.stem_frames = shared_stem.NewestStemFrames(num_clips, stride)

    def feed(self, frames: np.ndarray) -> None:
        if not self.products and jax.default_backend() == "cpu":
            self._check_memory()
        config, weights = self.model.config, self.model.device_weights
        products = (*self.products, *_products(config, weights, windows.subtract_mean(frames)))
        for last in range(shared_stem.TAPS, len(products) + 1):
            self.stem_frames.add(_kinds(config, weights, products[last - shared_stem.TAPS : last]))
        self.products = products[-2 * shared_stem.REACH :]

    def _check_memory(self) -> None:
        """Raises MemoryError if what will be kept of the frames cannot fit: asked for frame by frame, it would be some
        library that does not get it and ends the process."""
        side = -(-self.model.size // 2)  # after the stem's stride
        np.empty((self.stem_frames.num_kept, side, side, STEM_CHANNELS), np.float32)

    def predict(self, waveforms: np.ndarray) -> Predicted:
        model, size = self.model, (self.model.size, self.model.size)
        videos = [self.stem_frames.clip(number) for number in range(self.num_clips)]
        heard = _heard(model, waveforms)
        if fastest_layout() == "array":
            return _after_stem(model.config, size, model.device_weights, videos, heard)
        one_by_one = [
            _after_stem(model.config, size, model.device_weights, [video], heard if heard is None else heard[i : i + 1])
            for i, video in enumerate(videos)
        ]
        return _together(one_by_one)


def _heard(model: SaliencyModel, waveforms: np.ndarray) -> np.ndarray | None:
    return waveforms if model.uses_sound else None


@functools.partial(jax.jit, static_argnums=0)
def _products(config: NetworkConfig, weights: Weights, frames: jax.Array) -> tuple[jax.Array, ...]:
    with jax.default_matmul_precision("highest"):
        return shared_stem.products(network_from(config, weights).trunk, frames)


@functools.partial(jax.jit, static_argnums=0)
def _kinds(config: NetworkConfig, weights: Weights, window: tuple[jax.Array, ...]) -> shared_stem.Kinds:
    return shared_stem.kinds_of(network_from(config, weights).trunk, window)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _after_stem(
    config: NetworkConfig,
    size: tuple[int, int],
    weights: Weights,
    videos: list[tuple[jax.Array, ...]],
    waveforms: jax.Array | None,
) -> Predicted:
    """Videos: B x 16 x [1, h, w, 64], the stem's output; `size`: H, W of the maps."""
    with jax.default_matmul_precision("highest"):
        network = network_from(config, weights)
        if fastest_layout() == "array":
            video = jnp.concatenate([jnp.stack(frames, axis=1) for frames in videos])
        else:
            (video,) = videos
        return _predicted(network, network.after_stem(video, waveforms, size))


@jax.jit
def _together(predicted: list[Predicted]) -> Predicted:
    """Predictions of a clip each as one of all."""
    return jax.tree.map(lambda *arrays: jnp.concatenate(arrays), *predicted)


@functools.partial(jax.jit, static_argnums=0)
def _of_clips(config: NetworkConfig, weights: Weights, clip: jax.Array, waveforms: jax.Array | None) -> Predicted:
    with jax.default_matmul_precision("highest"):
        network = network_from(config, weights)
        return clip_by_clip(lambda *inputs: _predicted(network, network(*inputs)), (clip, waveforms))


def _predicted(network: Stavis, outputs: Outputs) -> Predicted:
    located = outputs.localization
    if located is not None:
        located = located @ network.fuseav.localization_weights()
    return Predicted(outputs.logits, located, outputs.attention)
