"""GFLOP in one clip by stage: those of textbook layers, 2 for a multiply-add, taps on padding counted.

Cheaper algorithms (Winograd, linear layers folded into each other) do less: rates over these may pass a machine's peak.
"""

from stavis_jax.models.attention import SALIENCY_CHANNELS
from stavis_jax.models.localization import HIDDEN, MULTIPLE_MAPS
from stavis_jax.models.resnet3d import BLOCKS_OF_DEPTH, BOTTLENECK_DEPTHS, STEM_CHANNELS, WIDTHS, stage_channels
from stavis_jax.models.soundnet import ROWS, SOUND_FEATURES

CLIP_FRAMES, WAVEFORM_SAMPLES = 16, 35_280


def gflop_of_clip(depth: int, size: int) -> dict[str, float]:
    """Stage -> GFLOP of l3mul-s3 on a clip [16, size, size, 3] and its sound."""
    areas = [(size >> stage) ** 2 for stage in (1, 2, 3, 4)]  # of a frame, after the stem and the three layers
    frames = [CLIP_FRAMES >> stage for stage in (0, 1, 2, 3)]
    positions = [area * count for area, count in zip(areas, frames, strict=True)]
    channels = stage_channels(depth)
    flop = {"stem": _products(7**3 * 3, STEM_CHANNELS, positions[0])}
    for i, (blocks, width) in enumerate(zip(BLOCKS_OF_DEPTH[depth], WIDTHS, strict=True), start=1):
        before = positions[max(i - 1, 1)]  # the first layer does not stride: the pooling before it does
        first = _block(depth, channels[i - 1], width, before, positions[i])
        later = _block(depth, channels[i], width, positions[i], positions[i])
        flop[f"layer{i}"] = first + (blocks - 1) * later
    flop["attention"] = sum(
        _products(9 * count, SALIENCY_CHANNELS, area) + _products(SALIENCY_CHANNELS, 1, area)
        for count, area in zip(channels, areas, strict=True)
    )
    flop["sound"] = _sound()
    flop["fusion"] = _fusion(channels[2], areas, size)
    return {stage: value / 1e9 for stage, value in flop.items()}


def _products(inputs: int, outputs: int, positions: int) -> int:
    """Of a linear map at so many positions; `inputs` counts a convolution's taps too."""
    return 2 * inputs * outputs * positions


def _block(depth: int, channels: int, width: int, before: int, after: int) -> int:
    """A residual block with so many positions before and after its stride."""
    if depth in BOTTLENECK_DEPTHS:
        features = 4 * width
        layers = _products(channels, width, before) + _products(27 * width, width, after)
        layers += _products(width, features, after)
    else:
        features = width
        layers = _products(27 * channels, width, after) + _products(27 * width, width, after)
    projects = channels != features or before != after
    return layers + (_products(channels, features, after) if projects else 0)


def _sound() -> int:
    total, channels, steps = 0, 1, WAVEFORM_SAMPLES
    for features, size, padding, pool in ROWS:
        steps = (steps + 2 * padding - size) // 2 + 1
        total += _products(size * channels, features, steps)
        channels, steps = features, steps // pool
    return total


def _fusion(middle_channels: int, areas: list[int], size: int) -> int:
    """Transposed convolutions of the four stages, hidden features, bilinear form, the last 1x1 convolution."""
    upsampling = sum(
        _products(SALIENCY_CHANNELS, SALIENCY_CHANNELS * (2 * 2**stage) ** 2, area)
        for stage, area in enumerate(areas, start=1)
    )
    hidden = _products(middle_channels, HIDDEN, areas[2]) + _products(SOUND_FEATURES, HIDDEN, 1)
    bilinear = _products(HIDDEN * HIDDEN, MULTIPLE_MAPS, areas[2])
    return upsampling + hidden + bilinear + _products(4 * SALIENCY_CHANNELS + MULTIPLE_MAPS, 1, size**2)
