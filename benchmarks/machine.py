"""Cores of this process, and the peak rates of accelerators as their makers state them."""

import os
import re

# Dense TFLOP/s of a chip from the makers' data sheets; for TPU v2 and v3 of a core, which JAX calls a device. The first
# pattern found in the device's name counts. None: not stated, or no such arithmetic.
PEAKS = (  # pattern, bfloat16, float32
    (r"H100 NVL", 835, 60),
    (r"H100 PCIe", 756, 51),
    (r"H100|H200|GH200", 989, 67),
    (r"B200", 2250, 75),
    (r"A100", 312, 19.5),
    (r"A10G|A10\b", 70, 31.2),
    (r"L40S", 362, 91.6),
    (r"\bL4\b", 121, 30.3),
    (r"RTX 4090", 165, 82.6),
    (r"RTX 3090", 71, 35.6),
    (r"V100", None, 15.7),
    (r"\bT4\b", None, 8.1),
    (r"TPU v2", 22.5, None),
    (r"TPU v3", 61.5, None),
    (r"TPU v4", 275, None),
    (r"TPU v5 lite|TPU v5e", 197, None),
    (r"TPU v5", 459, None),
    (r"TPU v6", 918, None),
)


def cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_tflops(device_kind: str, dtype: str) -> float | None:
    """Returns the peak of a device, by the name that JAX or PyTorch gives it; None if the table does not have it."""
    for pattern, bfloat16, float32 in PEAKS:
        if re.search(pattern, device_kind):
            return {"bfloat16": bfloat16, "float32": float32}[dtype]
    return None
