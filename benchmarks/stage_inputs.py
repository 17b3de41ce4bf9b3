"""What each stage of the network takes: made-up features of the right shapes, for both sides."""

import numpy as np

from benchmarks import inputs
from benchmarks.inputs import CLIP_FRAMES
from stavis_jax.models.attention import SALIENCY_CHANNELS
from stavis_jax.models.resnet3d import stage_channels
from stavis_jax.models.soundnet import SOUND_FEATURES

STAGES = (
    "stem",
    "attention1",  # with the pooling after it
    "layer1",
    "attention2",
    "layer2",
    "attention3",
    "layer3",
    "attention4",
    "sound",
    "fusion",  # from saliency features, layer2's middle and sound features to the map
)


def stage_inputs(name: str, depth: int, batch: int, size: int) -> tuple[np.ndarray, ...]:
    """Arrays, channels last: a video [B, T, h, w, C]; for `sound` a waveform.

    For `fusion`: four saliency features [B, h, w, 16], the middle [B, h, w, C], sound features [B, 1024].
    """
    clip, waveform = inputs.clips(batch, size)
    if name == "stem":
        return (clip,)
    if name == "sound":
        return (waveform,)
    sides = [size >> number for number in (1, 2, 3, 4)]
    channels = stage_channels(depth)
    if name == "fusion":
        saliency = [_features(batch, side, side, SALIENCY_CHANNELS) for side in sides]
        return (*saliency, _features(batch, sides[2], sides[2], channels[2]), _features(batch, SOUND_FEATURES))
    number = int(name[-1])
    if name == "layer1":  # the pooling has halved the stem's output
        return (_features(batch, CLIP_FRAMES // 2, sides[1], sides[1], channels[0]),)
    side, count = sides[number - 1], channels[number - 1]
    return (_features(batch, CLIP_FRAMES >> (number - 1), side, side, count),)


def _features(*shape: int) -> np.ndarray:
    """As they come out of a ReLU."""
    return np.maximum(np.random.default_rng(0).standard_normal(shape, np.float32), 0)
