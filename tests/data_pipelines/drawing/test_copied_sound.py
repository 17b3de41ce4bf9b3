"""Sound that MP4 can hold is copied as it is, at the film's times; other sound is encoded again."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from made_films import beginning_of_real_film, real_film, write_film

from data_pipelines.drawing.copied_sound import can_copy
from data_pipelines.drawing.mp4_film import mp4_writer
from data_pipelines.films.film import open_film

RATE_HZ = 44100
CLICK = RATE_HZ // 2  # sample of the click, half a second after the first picture


def click(seconds: float = 1.2) -> np.ndarray:
    """Returns int16 [1, S]: silence, but for a loud click."""
    samples = np.zeros((1, round(seconds * RATE_HZ)), np.int16)
    samples[0, CLICK : CLICK + 40] = 30000
    return samples


def film_with(path: Path, codec: str, **how) -> Path:
    how = {"frame_rate_hz": 25, "rate_hz": RATE_HZ, "packet_samples": 1024, "sound_codec": codec} | how
    return write_film(path, np.full((25, 48, 64, 3), 90, np.uint8), [(how.pop("late", 0.0), click())], **how)


def rewritten(path: Path) -> Path:
    """Writes the film's pictures and sound to another file."""
    film, target = open_film(path), path.with_name("rewritten.mp4")
    with mp4_writer(target, film.frame_rate_hz, film.sound_path, film.start_seconds, copy_sound=True) as add:
        for picture in film.pictures():
            add(picture.pixels, picture.seconds, picture.duration_seconds)
    return target


def packets_of(path: Path) -> list[bytes]:
    with av.open(str(path)) as film:
        return [bytes(packet) for packet in film.demux(audio=0) if packet.size]


def click_seconds(path: Path) -> float:
    """Returns when the click is heard, since the first picture."""
    film = open_film(path)
    return float(np.concatenate(list(film.waveform())).argmax()) / 22050


@pytest.mark.parametrize("codec", ["aac", "libmp3lame", "ac3"])
@pytest.mark.parametrize("start_seconds", [0.0, 2.0])
def test_packets_are_copied_unchanged_and_heard_at_the_same_time(codec, start_seconds, tmp_path):
    source = film_with(tmp_path / "film.mkv", codec, start_seconds=start_seconds)
    target = rewritten(source)
    assert packets_of(target) == packets_of(source)
    assert click_seconds(target) == pytest.approx(click_seconds(source), abs=0.003)


def test_sound_that_begins_late_stays_late(tmp_path):
    source = film_with(tmp_path / "film.mkv", "aac", late=0.4)
    target = rewritten(source)
    assert packets_of(target) == packets_of(source)
    assert click_seconds(target) == pytest.approx(click_seconds(source), abs=0.003)


def test_sound_before_the_first_picture_is_left_out_and_the_rest_keeps_its_time(tmp_path):
    source = film_with(tmp_path / "film.mkv", "aac", late=-0.3, start_seconds=1.0)
    target = rewritten(source)
    copied, all_packets = packets_of(target), packets_of(source)
    assert 0 < len(copied) < len(all_packets) - 10 and copied == all_packets[-len(copied) :]
    assert click_seconds(target) == pytest.approx(click_seconds(source), abs=0.003)


@pytest.mark.parametrize("codec", ["pcm_s16le", "flac"])
def test_sound_that_players_do_not_expect_in_mp4_is_encoded_as_aac(codec, tmp_path):
    source = film_with(tmp_path / "film.mkv", codec)
    assert not can_copy(source, Fraction(0))
    with av.open(str(rewritten(source))) as film:
        assert film.streams.audio[0].codec_context.name == "aac"


def test_sound_with_a_gap_is_encoded_again(tmp_path):
    pieces = [(0.0, click()[:, :11264]), (1.0, click()[:, :11264])]
    path = tmp_path / "film.mkv"
    write_film(
        path, np.full((50, 48, 64, 3), 90, np.uint8), pieces, frame_rate_hz=25, rate_hz=RATE_HZ, sound_codec="aac"
    )
    assert not can_copy(path, Fraction(0))


@pytest.mark.slow
def test_surround_sound_of_a_real_film_is_copied(tmp_path):
    source = beginning_of_real_film("bigbuckbunny.mp4", 1.2, tmp_path)
    target = rewritten(source)
    assert packets_of(target) == packets_of(source)
    with av.open(str(target)) as film:
        assert film.streams.audio[0].codec_context.layout.nb_channels == 6
        assert film.streams.video[0].frames == 30


def test_a_film_whose_sound_cannot_be_read_has_none_to_copy(tmp_path):
    assert real_film("bikes.mp4").is_file()
    assert open_film(real_film("bikes.mp4")).sound_path is None
