"""Fixtures: a tiny network and a film with sound. Without gradio, only the command is tested (docs/page.md)."""

import importlib.util
from pathlib import Path

import av
import numpy as np
import pytest

from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.weights.directory import WeightsInfo, save_weights
from stavis_jax.weights.flat_names import expected_shapes

NUM_FRAMES, FRAME_RATE_HZ, SOUND_RATE_HZ = 30, 25, 22_050

if not importlib.util.find_spec("gradio"):
    collect_ignore = ["test_page_in_a_browser.py"]


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory) -> Path:
    """A converted directory: l3mul-s3, depth 10, clips of 32x32, random weights."""
    path = tmp_path_factory.mktemp("page") / "tiny"
    config = NetworkConfig("l3mul-s3", depth=10)
    rng = np.random.default_rng(0)  # not `new_network`: nothing has to be compiled
    weights = {
        name: np.abs(rng.normal(0, 0.1, shape)).astype(np.float32) for name, shape in expected_shapes(config).items()
    }
    save_weights(path, weights, WeightsInfo.of_network(config, size=32))
    return path


@pytest.fixture(scope="session")
def film(tmp_path_factory) -> Path:
    """H.264 and AAC, 96x64, 1.2 seconds of noise."""
    path = tmp_path_factory.mktemp("page") / "holiday.mp4"
    rng = np.random.default_rng(0)
    num_samples = NUM_FRAMES * SOUND_RATE_HZ // FRAME_RATE_HZ
    sound = av.AudioFrame.from_ndarray(rng.uniform(-0.3, 0.3, (1, num_samples)).astype(np.float32), "fltp", "mono")
    sound.sample_rate = SOUND_RATE_HZ
    with av.open(str(path), "w") as target:
        video = target.add_stream("h264", rate=FRAME_RATE_HZ)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        audio = target.add_stream("aac", rate=SOUND_RATE_HZ, layout="mono")
        for picture in rng.integers(0, 256, (NUM_FRAMES, 64, 96, 3), np.uint8):
            target.mux(video.encode(av.VideoFrame.from_ndarray(picture)))
        for stream, rest in ((video, []), (audio, [sound])):
            for frame in (*rest, None):
                target.mux(stream.encode(frame))
    return path
