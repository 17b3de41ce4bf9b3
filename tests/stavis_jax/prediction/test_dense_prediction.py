"""Whole films: which frame and which sound a map belongs to, and memory."""

import subprocess
import sys
from pathlib import Path

import made_films
import numpy as np
import pytest
from made_models import MadeModel

from data_pipelines.inputs import windows
from stavis_jax.prediction.api import predict_film

SIZE = 32
FPS = 10
RATE_HZ = 22_050
STEPS = 12  # of brightness that the corner shows, far enough apart to outlive compression


def write_film(path: Path, pictures, sound: np.ndarray | None, fps: int = FPS) -> Path:
    """Writes pictures uint8 [H, W, 3] and mono sound in [-1, 1] at 22,050 Hz, lossless, so that clicks stay sharp."""
    pieces = [] if sound is None else [(0, np.int16(32767 * sound)[None])]
    coding = {"codec": "mpeg4", "pix_fmt": "yuv420p", "options": {"qscale": "2"}, "rate_hz": RATE_HZ}
    return made_films.write_film(path, pictures, pieces, frame_rate_hz=fps, **coding)


def corner_picture(number: int) -> np.ndarray:
    """Returns a picture whose upper left quarter shows the frame's number as brightness."""
    picture = np.full((48, 64, 3), 128, np.uint8)
    picture[:24, :32] = 10 + 20 * (number % STEPS)
    return picture


class Reader(MadeModel):
    """Records the corner's brightness in a clip's eighth frame, and where its sound clicks, from the sound's middle."""

    size = SIZE

    def __init__(self):
        self.shown, self.clicks = [], []

    def logits(self, clip, waveform):
        pixels = clip + np.float32(windows.MEAN_RGB)
        self.shown += [float(frame[4:12, 4:12].mean()) for frame in pixels[:, 7]]
        self.clicks += [np.flatnonzero(np.abs(sound) > 20) - windows.WAVEFORM_SAMPLES // 2 for sound in waveform]
        brightness = pixels[:, 7, :16, :16].mean(axis=(1, 2, 3)) / 256
        return brightness[:, None, None] * np.ones((SIZE, SIZE), np.float32)


def test_each_map_is_of_its_own_frame_and_hears_what_sounds_then(tmp_path):
    """A click sounds with every 12th frame, in which the corner is darkest."""
    num_frames = 50
    sound = np.zeros(num_frames * RATE_HZ // FPS, np.float32)
    sound[:: STEPS * RATE_HZ // FPS] = 1.0
    film = write_film(tmp_path / "film.mkv", map(corner_picture, range(num_frames)), sound)
    model = Reader()
    predictions = list(predict_film(film, model, batch_size=3))
    assert [prediction.number for prediction in predictions] == list(range(1, num_frames + 1))
    np.testing.assert_allclose([prediction.seconds for prediction in predictions], np.arange(num_frames) / FPS)
    # The first calls are of clips before the film's first frame.
    shown, clicks = model.shown[-num_frames - 1 :], model.clicks[-num_frames - 1 :]
    first = next(i for i in range(len(shown)) if abs(shown[i] - 10) < 4)
    for number in range(num_frames - 8):
        assert shown[first + number] == pytest.approx(10 + 20 * (number % STEPS), abs=5)
    for number in range(8, num_frames - 9):
        # The clip's middle is half a frame after its eighth frame; its clicks sound a whole number of frames away.
        heard = clicks[first + number] / (RATE_HZ / FPS) + 0.5
        expected = [k - number for k in range(0, num_frames, STEPS) if -7 < k - number < 8]
        np.testing.assert_allclose(heard, expected, atol=0.01)


PEAK_MEMORY = """
import resource, sys
from pathlib import Path
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.outputs.write import PredictionOptions, write_predictions
from stavis_jax.prediction.model import StavisModel
from stavis_jax.weights.flat_names import new_network, read_network
config = NetworkConfig("l3mul-s3", 10)
model = StavisModel(config, read_network(new_network(config, 0)), 32)
film, folder = map(Path, sys.argv[1:])
options = PredictionOptions(("overlay", "npy", "track", "contact-sheet"), stride=2)
number = write_predictions(film, folder, model, options)
print(number, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_ten_minutes_take_as_much_memory_as_one(tmp_path):
    peaks = []
    for minutes in (1, 10):
        num_frames = minutes * 60 * 3
        sound = 0.1 * np.sin(np.arange(num_frames * RATE_HZ // 3) / 20)
        shown = (corner_picture(number) for number in range(num_frames))
        film = write_film(tmp_path / f"{minutes}.mkv", shown, sound, fps=3)
        command = [sys.executable, "-c", PEAK_MEMORY, film, tmp_path / f"{minutes}"]
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
        done, peak = map(int, ended.stdout.split())
        assert done == num_frames
        peaks.append(peak)
    assert peaks[1] < 1.1 * peaks[0], peaks
