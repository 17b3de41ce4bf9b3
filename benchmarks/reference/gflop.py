"""Counts the arithmetic of a clip by stage, as PyTorch counts it: 2 for a multiply-add, taps on padding included.

Cheaper algorithms, such as Winograd's or linear layers folded into each other, do less work, so that rates computed
from these numbers may exceed a machine's peak.
"""

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.inputs import CLIP_FRAMES, WAVEFORM_SAMPLES
from benchmarks.reference.network import HIDDEN, LOCALIZATION_MAPS, TorchStavis


def gflop_of_clip(depth: int, size: int) -> dict[str, float]:
    """Returns stage -> GFLOP of l3mul-s3 on a clip [16, size, size, 3] and its sound."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network = TorchStavis(depth=depth).eval()
        network(torch.zeros(1, 3, CLIP_FRAMES, size, size), torch.zeros(1, WAVEFORM_SAMPLES))
    counts = {name.partition(".")[2]: sum(of.values()) for name, of in counter.get_flop_counts().items()}
    stages = {"stem": "conv1", "layer1": "layer1", "layer2": "layer2", "layer3": "layer3", "sound": "soundnet8"}
    flop = {stage: counts[name] for stage, name in stages.items()}
    attention = [f"score_dsn.{i}" for i in range(4)]
    flop["attention"] = sum(counts[f"{name}.{part}"] for name in attention for part in ("side_prep", "score_dsn"))
    bilinear = 2 * LOCALIZATION_MAPS * HIDDEN**2 * (size >> 3) ** 2  # the counter leaves nn.Bilinear out
    upscaling = sum(counts[f"{name}.upscale"] for name in attention)
    flop["fusion"] = upscaling + counts["fusion3"] + bilinear + counts["fuseav"]
    return {stage: value / 1e9 for stage, value in flop.items()}
