"""The sound of overlay.mp4, at the times at which the network hears it."""

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from data_pipelines.films import decoding
from data_pipelines.films import sound as film_sound
from data_pipelines.films.sound import FULL_SCALE, waveform_chunks
from data_pipelines.runtime.errors import UserError
from stavis_jax.outputs.map_films import overlay_film

SOUND_RATE_HZ = 22050
AAC_FRAME = 1024


def test_uneven_frame_times_and_late_sound_are_kept(tmp_path, write_film, write_overlay, frames_of):
    times_ms = [500, 540, 700, 740, 1500, 1540]
    film = write_film(tmp_path / "film.mkv", times_ms, (32, 32), late_seconds=0.9)
    overlay = write_overlay(film, np.zeros((6, 8, 8)))
    assert [round(frame.time * 1000) for frame in frames_of(overlay, "video")] == [0, 40, 200, 240, 1000, 1040]
    loud = next(frame for frame in frames_of(overlay, "audio") if np.abs(frame.to_ndarray()).max() > 0.1)
    assert loud.time == pytest.approx(0.4, abs=1.5 * AAC_FRAME / SOUND_RATE_HZ)


def test_silence_fills_a_gap_in_the_sounds_timestamps(tmp_path, write_film, write_overlay, frames_of):
    whole = write_film(tmp_path / "whole.mkv", list(range(0, 3000, 40)), (32, 32), late_seconds=0.0)
    with av.open(str(whole)) as source, av.open(str(tmp_path / "film.mkv"), "w") as film:
        streams = [film.add_stream_from_template(stream) for stream in source.streams]
        for packet in source.demux():
            if packet.size:
                if packet.stream.type == "audio" and packet.pts * packet.time_base > 0.5:
                    packet.pts = packet.dts = packet.pts + round(1 / packet.time_base)  # a second later
                packet.stream = streams[packet.stream.index]
                film.mux(packet)
    sounds = frames_of(write_overlay(tmp_path / "film.mkv", np.zeros((75, 8, 8))), "audio")
    silent = [frame.time for frame in sounds if np.abs(frame.to_ndarray()).max() < 0.01]
    assert (silent[0], silent[-1]) == pytest.approx((0.5, 1.5), abs=0.15)
    assert sounds[-1].time == pytest.approx(2, abs=0.1)


def retimed_sound(source_path: Path, path: Path, late_seconds) -> Path:
    """A copy whose packets of sound say that they come later by `late_seconds(number of the packet)`."""
    with av.open(str(source_path)) as source, av.open(str(path), "w") as film:
        streams = [film.add_stream_from_template(stream) for stream in source.streams]
        number = itertools.count()
        for packet in source.demux():
            if packet.size:
                if packet.stream.type == "audio":
                    late = round(late_seconds(next(number)) / packet.time_base)
                    packet.pts = packet.dts = packet.pts + late
                packet.stream = streams[packet.stream.index]
                film.mux(packet)
    return path


@pytest.mark.parametrize("step_seconds", [0.02, -0.02])
def test_many_small_gaps_or_overlaps_do_not_shift_the_sound(
    tmp_path, write_film, write_overlay, frames_of, step_seconds
):
    """Each as small as timestamps tremble; by the 22nd packet they are almost half a second."""
    whole = write_film(tmp_path / "whole.mkv", list(range(0, 2000, 40)), (32, 32), late_seconds=0.5)
    film = retimed_sound(whole, tmp_path / "film.mkv", lambda number: step_seconds * number)
    overlay = write_overlay(film, np.zeros((50, 8, 8)))
    loud = [frame.time for frame in frames_of(overlay, "audio") if np.abs(frame.to_ndarray()).max() > 0.1]
    assert loud[0] == pytest.approx(0.5, abs=0.06)
    assert loud[-1] == pytest.approx(1.5 + 21 * step_seconds, abs=0.1)


def test_timestamps_that_are_wrong_now_and_then_do_not_shift_the_sound(tmp_path, write_film, write_overlay, frames_of):
    """Every second one is later than its packet by more than timestamps tremble."""
    whole = write_film(tmp_path / "whole.mkv", list(range(0, 2000, 40)), (32, 32), late_seconds=0.0)
    film = retimed_sound(whole, tmp_path / "film.mkv", lambda number: 0.045 * (number % 2))
    sounds = frames_of(write_overlay(film, np.zeros((50, 8, 8))), "audio")
    assert sum(frame.samples for frame in sounds) == pytest.approx(SOUND_RATE_HZ, abs=2 * AAC_FRAME)


LATE_SECONDS = {
    "one timestamp too late": lambda number: 20 * (number == 5),
    "one timestamp too early": lambda number: -20 * (number == 5),
    "a gap": lambda number: 1.5 * (number >= 10),
    "an overlap": lambda number: -0.2 * (number >= 10),
    "another clock, earlier": lambda number: -0.4 * (number >= 10),
    "another clock, days later": lambda number: 10**6 * (number >= 10),
    "another clock from the start": lambda number: 10**6,
}


@pytest.mark.parametrize("kind", LATE_SECONDS)
def test_sound_is_where_the_network_hears_it(tmp_path, write_film, write_overlay, frames_of, monkeypatch, kind):
    film = write_film(tmp_path / "film.mkv", list(range(0, 1000, 40)), (32, 32), late_seconds=0.0)

    def seconds_of(frame):
        number = round(decoding.seconds_of(frame) * SOUND_RATE_HZ / 1024)  # of the packet
        return decoding.seconds_of(frame) + Fraction(LATE_SECONDS[kind](number))

    monkeypatch.setattr(film_sound, "seconds_of", seconds_of)
    expected = np.concatenate(list(waveform_chunks(film, Fraction(0)))) / FULL_SCALE
    frames = frames_of(write_overlay(film, np.zeros((25, 8, 8))), "audio")
    assert frames[0].time == 0
    found = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    assert len(found) == pytest.approx(len(expected), abs=2 * AAC_FRAME)
    heard, seen = (np.flatnonzero(np.abs(sound) > 0.1) for sound in (expected, found))
    np.testing.assert_allclose(seen[[0, -1]], heard[[0, -1]], atol=AAC_FRAME)
    assert len(seen) == pytest.approx(len(heard), rel=0.1)  # AAC does not keep every sample


@pytest.mark.slow
def test_gaps_of_hours_are_kept_in_picture_and_sound(tmp_path, write_film, open_film, changed_film, feed, predicted):
    """MP4 cannot have a picture shown for so long at once."""
    gap = 3_700
    pictures = [0, 40, 1000 * gap, 1000 * gap + 40]
    whole = write_film(tmp_path / "whole.mkv", pictures, (32, 32), late_seconds=0.0)
    film = retimed_sound(whole, tmp_path / "film.mkv", lambda number: gap * (number >= 10))
    feed(overlay_film, tmp_path / "overlay.mp4", open_film(film), predicted(np.zeros((4, 8, 8))))
    with av.open(str(tmp_path / "overlay.mp4")) as overlay:
        times = sorted(packet.pts * packet.time_base for packet in overlay.demux(video=0) if packet.size)
    assert [float(time) for time in times] == pytest.approx([0, *(0.04 + 1200 * np.arange(4)), gap, gap + 0.04])
    with av.open(str(tmp_path / "overlay.mp4")) as overlay:
        overlay.seek((gap - 1) * SOUND_RATE_HZ, stream=overlay.streams.audio[0])
        sounds = list(overlay.decode(audio=0))
    assert sounds[0].time > gap - 2
    loud = [frame.time for frame in sounds if np.abs(frame.to_ndarray()).max() > 0.1]
    begin = 10 * 1024 / SOUND_RATE_HZ
    assert (loud[0], loud[-1]) == pytest.approx((gap + begin, gap + 1), abs=0.1)


def test_sound_is_read_as_the_network_reads_it_whatever_it_is_called(
    tmp_path, write_film, changed_film, feed, predicted, monkeypatch
):
    """A name like a protocol's, a title that is no UTF-8; and so for the overlay."""
    monkeypatch.chdir(tmp_path)
    path = write_film(Path("film.mkv"), [0, 40], (32, 32), late_seconds=0.0)
    with av.open(str(path)) as source, av.open("titled.mkv", "w") as titled:
        titled.metadata["title"] = "Cafe"
        stream = titled.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.size:
                packet.stream = stream
                titled.mux(packet)
    sound = Path("a:b.mkv")
    sound.write_bytes(Path("titled.mkv").read_bytes().replace(b"Cafe", "Café".encode("latin-1")))
    Path("c:d").mkdir()
    film = changed_film(path, sound_path=sound)
    feed(overlay_film, Path("c:d/overlay.mp4"), film, predicted(np.zeros((2, 8, 8))))
    with av.open("file:c:d/overlay.mp4") as overlay:
        assert len(overlay.streams.audio) == 1


def test_sound_before_the_first_picture_is_left_out(tmp_path, write_film, write_overlay, frames_of):
    film = write_film(tmp_path / "film.mkv", [300, 340, 380], (32, 32), late_seconds=0.0)
    sounds = frames_of(write_overlay(film, np.zeros((3, 8, 8))), "audio")
    assert sounds[0].time == 0
    num_samples = sum(frame.samples for frame in sounds)
    assert num_samples == pytest.approx(0.7 * SOUND_RATE_HZ, abs=AAC_FRAME)


def test_film_without_sound_gives_a_silent_overlay(tmp_path, write_film, write_overlay):
    film = write_film(tmp_path / "film.mkv", [0, 40], (32, 32))
    with av.open(str(write_overlay(film, np.zeros((2, 8, 8))))) as overlay:
        assert not overlay.streams.audio


def test_sound_may_come_from_another_file(tmp_path, write_film, changed_film, feed, predicted):
    sound = write_film(tmp_path / "sound.mkv", [0], (32, 32), late_seconds=0.0)
    film = changed_film(write_film(tmp_path / "film.mkv", [0, 40], (32, 32)), sound_path=sound)
    feed(overlay_film, tmp_path / "overlay.mp4", film, predicted(np.zeros((2, 8, 8))))
    with av.open(str(tmp_path / "overlay.mp4")) as overlay:
        assert overlay.streams.audio[0].rate == SOUND_RATE_HZ


def test_unreadable_sound_is_one_line(tmp_path, write_film, changed_film, feed):
    path, damaged = write_film(tmp_path / "film.mkv", [0, 40], (32, 32)), tmp_path / "sound.wav"
    damaged.write_bytes(b"no sound")
    with pytest.raises(UserError, match="sound.wav: cannot be read as a sound"):
        feed(overlay_film, tmp_path / "overlay.mp4", changed_film(path, sound_path=damaged), [])
    with pytest.raises(UserError, match="film.mkv: holds no sound"):
        feed(overlay_film, tmp_path / "overlay.mp4", changed_film(path, sound_path=path), [])
