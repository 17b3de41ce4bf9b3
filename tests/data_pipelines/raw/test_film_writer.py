import numpy as np
import pytest
import soundfile
from PIL import Image

from data_pipelines.raw import film_writer, layout
from data_pipelines.raw.film_writer import FilmWriter
from data_pipelines.runtime.errors import UserError


@pytest.fixture
def writer(tmp_path) -> FilmWriter:
    (tmp_path / "video_frames").mkdir()
    return FilmWriter(layout.RawLayout(tmp_path), "Mine", "film")


def test_what_is_written_is_read_again(writer):
    raw = writer.layout
    writer.write_frame(1, Image.new("RGB", (8, 6), (200, 0, 0)))
    writer.write_maps(1, np.array([[3, 1]]), (8, 6), sigma=1)
    writer.write_observers([("anna", 1, 3, 1)])
    assert abs(layout.read_frame(raw.frame_path("Mine", "film", 1)) - np.int16([200, 0, 0])).max() < 3
    assert np.argwhere(layout.read_fixations(raw.fixation_path("Mine", "film", 1))).tolist() == [[1, 3]]
    assert layout.read_density(raw.density_path("Mine", "film", 1))[1, 3] > 250
    assert raw.observers_path("Mine", "film").read_text() == "observer,frame,x,y\nanna,1,3,1\n"
    writer.remove()
    assert [path for path in raw.root.rglob("*") if path.is_file()] == []


def test_sound_is_written_in_chunks(writer):
    sound = np.arange(-3000, 3000, dtype=np.int16).reshape(-1, 2)
    writer.write_sound([sound[:7], sound[7:]], 8000, num_channels=2)
    found, rate_hz = soundfile.read(writer.layout.sound_path("Mine", "film"), dtype="int16")
    assert rate_hz == 8000
    np.testing.assert_array_equal(found, sound)


def test_sound_longer_than_a_wav_file_is_refused(writer, monkeypatch):
    monkeypatch.setattr(film_writer, "MOST_SOUND_BYTES", 5)
    with pytest.raises(UserError, match=r"film\.wav: the sound is longer than a WAV file can be"):
        writer.write_sound([np.zeros((2, 1), np.int16), np.zeros((1, 1), np.int16)], 8000)


def test_a_fault_of_the_sound_is_told_as_it_is(writer):
    def chunks():
        yield np.zeros((2, 1), np.int16)
        raise UserError("film.mkv: cannot be read")

    with pytest.raises(UserError, match=r"film\.mkv: cannot be read"):
        writer.write_sound(chunks(), 8000)
