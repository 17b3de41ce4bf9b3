"""Makes random clips, sounds, frames and maps for both sides. Speed does not depend on their content."""

import numpy as np

CLIP_FRAMES, WAVEFORM_SAMPLES, SAMPLE_RATE_HZ = 16, 35_280, 22_050
FRAME_RATE_HZ = 25.0


def clips(batch: int, size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns clip [B, 16, S, S, 3], pixels minus their mean, and waveform [B, 35280], both float32."""
    rng = np.random.default_rng(seed)
    clip = 50 * rng.standard_normal((batch, CLIP_FRAMES, size, size, 3), np.float32)
    return clip, 30 * rng.standard_normal((batch, WAVEFORM_SAMPLES), np.float32)


def maps(batch: int, size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns density [B, S, S] in [0, 255] and fixations [B, S, S] of 0 and 1, both float32."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    centres = rng.uniform(0, size, (2, batch, 1, 1))
    squares = (rows - centres[0]) ** 2 + (columns - centres[1]) ** 2
    density = 255 * np.exp(-squares / (size / 5) ** 2)
    return density.astype(np.float32), (rng.random((batch, size, size)) < density / 5000).astype(np.float32)


def film(num_frames: int, size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns frames uint8 [N, S, S, 3] and their sound, float32 [samples] around 0 at 22,050 Hz."""
    rng = np.random.default_rng(seed)
    samples = round(num_frames / FRAME_RATE_HZ * SAMPLE_RATE_HZ)
    sound = 30 * rng.standard_normal(samples, np.float32)
    return rng.integers(0, 256, (num_frames, size, size, 3), np.uint8), sound
