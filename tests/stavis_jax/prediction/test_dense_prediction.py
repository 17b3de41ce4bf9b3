"""Whole films: which frame and which sound a map belongs to, and memory."""

from collections.abc import Sequence
from pathlib import Path

import made_films
import numpy as np
import pytest
from made_checkpoints import write_random_weights
from made_models import MadeModel

from data_pipelines.inputs import windows
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.prediction.api import predict_film

SIZE = 32
FPS = 10
RATE_HZ = 22_050
STEPS = 12  # of brightness that the corner shows, far enough apart to outlive compression


def write_film(path: Path, pictures, sound: np.ndarray, times_ms: Sequence[int] | None = None) -> Path:
    """Writes pictures uint8 [H, W, 3], by default 10 a second, and mono sound in [-1, 1] at 22,050 Hz.

    The sound is lossless, so that clicks stay sharp.
    """
    pieces = [(0, np.int16(32767 * sound)[None])]
    coding = {"codec": "mpeg4", "pix_fmt": "yuv420p", "options": {"qscale": "2"}, "rate_hz": RATE_HZ}
    return made_films.write_film(path, pictures, pieces, frame_rate_hz=FPS, times_ms=times_ms, **coding)


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


@pytest.mark.slow
def test_half_an_hour_takes_as_much_memory_as_ten_minutes(commands, tmp_path):
    """Ten minutes fill all queues and the encoder's lookahead. Twenty more would show 106 MB of sound that stays."""
    weights = write_random_weights(tmp_path / "weights", NetworkConfig("l3mul-s3", 10), SIZE)
    peaks = []
    for minutes in (10, 30):
        num_frames = minutes * 30
        sound = 0.1 * np.sin(np.arange(minutes * 60 * RATE_HZ) / 20)
        shown = (corner_picture(number) for number in range(num_frames))
        film = write_film(tmp_path / f"{minutes}.mkv", shown, sound, times_ms=range(0, minutes * 60_000, 2_000))
        outputs = ["overlay", "npy", "track", "contact-sheet"]
        how = ["--checkpoint", weights, "--output", tmp_path, "--stride", 4, "--outputs", *outputs]
        ended = commands.run("stavis_jax.predict", film, *how)
        assert ended.code == 0, ended
        assert len(np.load(tmp_path / str(minutes) / "maps.npy", mmap_mode="r")) == num_frames
        peaks.append(ended.num_bytes)
    assert peaks[1] < 1.1 * peaks[0], peaks
