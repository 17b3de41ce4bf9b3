"""Fixtures: a tiny network and a film with sound. Without gradio, only the command is tested (docs/page.md)."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from made_checkpoints import write_random_weights
from made_films import noise_pictures, write_film

from stavis_jax.models.stavis import NetworkConfig

NUM_FRAMES, FRAME_RATE_HZ, SOUND_RATE_HZ = 30, 25, 22_050

if not importlib.util.find_spec("gradio"):
    collect_ignore = ["test_page_in_a_browser.py"]


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory) -> Path:
    """A converted directory: l3mul-s3, depth 10, clips of 32x32, random weights."""
    return write_random_weights(tmp_path_factory.mktemp("page") / "tiny", NetworkConfig("l3mul-s3", depth=10))


@pytest.fixture(scope="session")
def film(tmp_path_factory) -> Path:
    """H.264 and AAC, 96x64, 1.2 seconds of noise."""
    sound = np.random.default_rng(0).integers(-9999, 9999, (1, NUM_FRAMES * SOUND_RATE_HZ // FRAME_RATE_HZ), np.int16)
    return write_film(
        tmp_path_factory.mktemp("page") / "holiday.mp4",
        noise_pictures(NUM_FRAMES, 64, 96),
        [(0, sound)],
        frame_rate_hz=FRAME_RATE_HZ,
        codec="h264",
        pix_fmt="yuv420p",
        sound_codec="aac",
    )
