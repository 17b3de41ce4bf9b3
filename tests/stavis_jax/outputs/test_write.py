"""A prediction counts as done only if everything that its files depend on is the same."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from made_models import MadeModel
from PIL import Image
from scipy.io import wavfile

from data_pipelines.films.film import open_film
from data_pipelines.runtime.errors import UserError
from stavis_jax.outputs.options import PredictionOptions
from stavis_jax.outputs.write import write_predictions

SIZE, RATE_HZ = 16, 8_000
TRACK = PredictionOptions(("track",))


class Grey(MadeModel):
    """A network that predicts constant maps."""

    def logits(self, clip, waveform):
        return np.zeros((len(clip), SIZE, SIZE), np.float32)


def write_sound(path: Path, num_samples: int = RATE_HZ) -> Path:
    path.parent.mkdir(exist_ok=True)
    wavfile.write(path, RATE_HZ, np.zeros(num_samples, np.int16))
    return path


@pytest.fixture
def pictures(tmp_path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(1, 4):
        Image.fromarray(np.full((SIZE, SIZE, 3), number, np.uint8)).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def predict(tmp_path):
    """Returns a function that predicts a film, and returns the number of frames or None if it was done before."""
    return lambda film, **how: write_predictions(open_film(film, **how), tmp_path / "out", Grey(), TRACK)


def test_another_frame_rate_is_another_prediction(pictures, predict):
    assert predict(pictures, frame_rate_hz=10) == 3
    assert predict(pictures, frame_rate_hz=10) is None
    with pytest.raises(UserError, match=r"other settings \(frame rate in Hz: 10.0, now: 12.5\)"):
        predict(pictures, frame_rate_hz=12.5)


def test_more_pictures_or_others_are_another_prediction(pictures, predict):
    predict(pictures, frame_rate_hz=10)
    shutil.copy(pictures / "1.png", pictures / "4.png")
    with pytest.raises(UserError, match=r"other settings \(number of pictures: 3, now: 4\)"):
        predict(pictures, frame_rate_hz=10)
    (pictures / "4.png").unlink()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (99, 99, 3), np.uint8)).save(pictures / "2.png")
    with pytest.raises(UserError, match=r"other settings \(film size in bytes: "):
        predict(pictures, frame_rate_hz=10)


def test_another_sound_is_another_prediction(tmp_path, pictures, predict):
    first, second = (write_sound(tmp_path / day / "sound.wav") for day in ("monday", "tuesday"))
    predict(pictures, frame_rate_hz=10, sound=first)
    assert predict(pictures, frame_rate_hz=10, sound=first) is None
    with pytest.raises(UserError, match=rf"other settings \(sound: {first}, now: {second}\)"):
        predict(pictures, frame_rate_hz=10, sound=second)
    with pytest.raises(UserError, match=rf"other settings \(sound: {first}, now: none\)"):
        predict(pictures, frame_rate_hz=10)
    write_sound(first, 2 * RATE_HZ)
    with pytest.raises(UserError, match=r"other settings \(sound size in bytes: "):
        predict(pictures, frame_rate_hz=10, sound=first)


def test_other_outputs_are_another_prediction(pictures, tmp_path):
    film = open_film(pictures, frame_rate_hz=10)
    write_predictions(film, tmp_path / "out", Grey(), PredictionOptions(("track", "maps")))
    with pytest.raises(UserError, match=r"other settings \(outputs: maps track, now: track\)"):
        write_predictions(film, tmp_path / "out", Grey(), TRACK)


def test_a_folder_moved_with_its_sound_is_done_before(tmp_path, pictures, predict):
    write_sound(pictures / "sound.wav")
    predict(pictures, frame_rate_hz=10)
    (tmp_path / "archive").mkdir()
    moved = pictures.rename(tmp_path / "archive" / "pictures")
    assert predict(moved, frame_rate_hz=10) is None
    assert predict(moved, frame_rate_hz=10, sound=moved / "sound.wav") is None
