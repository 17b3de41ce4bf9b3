"""A film's frames, one block after another -> what the network says of its overlapping clips.

Two forms with the same results: any model, clip by clip; and, where clips overlap much, one that shares the stem.
"""

import functools
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from data_pipelines import clips
from stavis_jax.model import SaliencyModel, clip_by_clip
from stavis_jax.models import shared_stem
from stavis_jax.models.resnet3d import STEM_CHANNELS
from stavis_jax.models.stavis import NetworkConfig, Outputs, Stavis
from stavis_jax.ops.video import fastest_layout
from stavis_jax.weights.flat import Weights, network_from

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
        last = np.arange(num_clips) * stride + clips.CLIP_FRAMES
        self.indices = last[:, None] + np.arange(-clips.CLIP_FRAMES, 0)  # [B, 16] into the frames kept
        self.frames = np.zeros((0,), np.uint8)

    def feed(self, frames: np.ndarray) -> None:
        if not len(self.frames):
            self.frames = np.zeros((self.indices.max() + 1, *frames.shape[1:]), np.uint8)
        self.frames = np.concatenate([self.frames, frames])[-len(self.frames) :]

    def predict(self, waveforms: np.ndarray) -> Predicted:
        clip = clips.subtract_mean(self.frames[self.indices])
        if isinstance(self.model, SaliencyModel):
            return _of_clips(self.model.config, self.model.device_weights, clip, _heard(self.model, waveforms))
        return Predicted(self.model(clip, waveforms).logits)


class SharedStemStream:
    """For our own networks: each frame goes through the stem once (models/shared_stem.py)."""

    lag = shared_stem.REACH

    def __init__(self, model: SaliencyModel, num_clips: int, stride: int):
        self.model, self.num_clips, self.stride = model, num_clips, stride
        self.state = None

    def feed(self, frames: np.ndarray) -> None:
        config, weights, size = self.model.config, self.model.device_weights, frames.shape[1:3]
        if self.state is None:
            self.state = _empty_state(size, self.num_clips, self.stride)
        self.state = _advance(config, weights, self.state, clips.subtract_mean(frames))

    def predict(self, waveforms: np.ndarray) -> Predicted:
        model = self.model
        shape = (self.num_clips, self.stride, model.size)
        return _after_stem(model.config, shape, model.device_weights, self.state, _heard(model, waveforms))


def _heard(model: SaliencyModel, waveforms: np.ndarray) -> np.ndarray | None:
    return waveforms if model.uses_sound else None


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _empty_state(size: tuple[int, int], num_clips: int, stride: int) -> shared_stem.StemState:
    return shared_stem.empty_state(size, STEM_CHANNELS, num_clips, stride, jnp.float32)


@functools.partial(jax.jit, static_argnums=0, donate_argnums=2)
def _advance(
    config: NetworkConfig, weights: Weights, state: shared_stem.StemState, frames: jax.Array
) -> shared_stem.StemState:
    with jax.default_matmul_precision("highest"):
        return shared_stem.advance(network_from(config, weights).trunk, state, frames)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _after_stem(
    config: NetworkConfig,
    shape: tuple[int, int, int],
    weights: Weights,
    state: shared_stem.StemState,
    waveforms: jax.Array | None,
) -> Predicted:
    """`shape`: number of clips, stride, S."""
    num_clips, stride, size = shape
    with jax.default_matmul_precision("highest"):
        network = network_from(config, weights)
        if fastest_layout() == "array":
            video = shared_stem.newest_clips(state, num_clips, stride)
            return _predicted(network, network.after_stem(video, waveforms, (size, size)))

        def of_clip(number: jax.Array, waveform: jax.Array | None) -> Predicted:
            video = shared_stem.newest_clip(state, number[0], stride)
            return _predicted(network, network.after_stem(video, waveform, (size, size)))

        return clip_by_clip(of_clip, (jnp.arange(num_clips), waveforms))


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
