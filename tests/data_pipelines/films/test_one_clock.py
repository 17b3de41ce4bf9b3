"""Ingestion and prediction read a film by one clock: the same odd films give the same frames, times and sound."""

import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from data_pipelines.films.film import Film, Picture, open_film
from data_pipelines.films.sound import FULL_SCALE, resample
from data_pipelines.ingest import ingest
from data_pipelines.ingestion.viewing_geometry import Viewing
from data_pipelines.raw.fold_lists import read_films
from data_pipelines.raw.layout import RawLayout, read_fixations, read_frame

RATE_HZ = 22_050
LOUD = 25  # of 256
TWO_RATES_MS = [*range(0, 1000, 100), *range(1000, 1400, 40)]


def variable_frame_rate(make, path: Path) -> Path:
    times_ms = [0, 40, 41, 300, 333, 1000, 1010, 1900]
    return make.write(path, make.pictures(8), [(0, make.click(0.5))], times_ms=times_ms)


def jump_of_the_frame_rate(make, path: Path) -> Path:
    return make.write(path, make.pictures(20), [(0, make.click(0.5, 1.4))], times_ms=TWO_RATES_MS)


def gap(make, path: Path) -> Path:
    """Half a minute without picture and sound."""
    times_ms = [*range(0, 1000, 100), *range(31_000, 32_000, 100)]
    sound = [(0, make.click(0.5, 1)), (31, make.click(0.2, 1))]
    return make.write(path, make.pictures(20), sound, times_ms=times_ms)


def gap_in_the_sound(make, path: Path) -> Path:
    return make.write(path, make.pictures(), [(0, make.click(0.5, 0.6)), (1.4, make.click(0.1, 0.3))])


def overlapping_sound(make, path: Path) -> Path:
    return make.write(path, make.pictures(), [(number / 2, make.click(0.25, 0.55)) for number in range(4)])


def late_sound(make, path: Path) -> Path:
    return make.write(path, make.pictures(), [(0.7, make.click(0.2, 1))])


def early_sound(make, path: Path) -> Path:
    return make.write(path, make.pictures(), [(-0.3, make.click(0.5))])


def stereo_at_another_rate(make, path: Path) -> Path:
    sound = make.click(0.5, rate_hz=48_000, channels=2) * np.int16([[1], [0]])
    return make.write(path, make.pictures(), [(0.1, sound)], rate_hz=48_000, layout="stereo")


def rotated(make, path: Path) -> Path:
    return make.phone(path)


def timestamps_that_start_again(make, path: Path) -> Path:
    part = make.broadcast(path, 48_000, "mono", make.click(0.5, rate_hz=48_000))
    path.write_bytes(3 * part)
    return path


def timestamps_that_start_again_at_a_variable_rate(make, path: Path) -> Path:
    codecs = {"codec": "mpeg4", "pix_fmt": "yuv420p", "sound_codec": "mp2", "rate_hz": 48_000}
    sound = [(0, make.click(0.5, 1.4, rate_hz=48_000))]
    part = make.write(path, make.pictures(20), sound, times_ms=TWO_RATES_MS, **codecs).read_bytes()
    path.write_bytes(2 * part)
    return path


def sound_that_changes_rate_and_channels(make, path: Path) -> Path:
    parts = [
        make.broadcast(path, 48_000, "stereo", make.click(0.5, rate_hz=48_000, channels=2)),
        make.broadcast(path, 44_100, "mono", make.click(0.5, rate_hz=44_100)),
    ]
    path.write_bytes(b"".join(parts))
    return path


def no_timestamps(make, path: Path) -> Path:
    return make.encode(path, make.pictures(), "h264")


def damaged_pictures(make, path: Path) -> Path:
    return make.damage(make.write(path, make.pictures(), [(0, make.click(0.5))]), slice(6, 9))


def no_sound(make, path: Path) -> Path:
    return make.write(path, make.pictures())


FILMS: dict[str, Callable] = {
    "variable.mkv": variable_frame_rate,
    "rates.mkv": jump_of_the_frame_rate,
    "gap.mkv": gap,
    "gap-in-sound.mkv": gap_in_the_sound,
    "overlap.mkv": overlapping_sound,
    "late.mkv": late_sound,
    "early.mkv": early_sound,
    "stereo.mkv": stereo_at_another_rate,
    "rotated.mp4": rotated,
    "again.ts": timestamps_that_start_again,
    "again-variable.ts": timestamps_that_start_again_at_a_variable_rate,
    "mixed.ts": sound_that_changes_rate_and_channels,
    "none.h264": no_timestamps,
    "damaged.mkv": damaged_pictures,
    "silent.mkv": no_sound,
}


@pytest.fixture
def make(pictures, write_film, click, broadcast, film_of_a_phone, encode, damage_packets) -> SimpleNamespace:
    return SimpleNamespace(
        pictures=pictures,
        write=write_film,
        click=click,
        broadcast=broadcast,
        phone=film_of_a_phone,
        encode=encode,
        damage=damage_packets,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", FILMS)
def test_ingestion_and_prediction_agree_on_frames_times_and_sound(tmp_path, make, name):
    path = FILMS[name](make, tmp_path / name)
    film = open_film(path)
    pictures = list(film.pictures())
    layout = ingested(path, gaze_at_both_ends_of_each_frame(pictures, path.with_suffix(".csv")))

    (listed,) = read_films(layout, "test", 1)
    assert listed.num_frames == layout.num_frames("Mine", film.name) == len(pictures)
    assert listed.fps == pytest.approx((len(pictures) - 1) / float(pictures[-1].seconds))
    for index, picture in enumerate(pictures):
        seen = read_fixations(layout.fixation_path("Mine", film.name, index + 1))
        expected = np.zeros(picture.pixels.shape[:2], np.uint8)
        x, y = place_of(index, expected.shape[1])
        expected[y : y + (1 if picture is pictures[-1] else 2), x] = 1
        np.testing.assert_array_equal(seen, expected)
        frame = read_frame(layout.frame_path("Mine", film.name, index + 1))
        assert np.abs(frame.astype(int) - picture.pixels).mean() < 12  # JPEG of noise; another frame's is 85 off
    assert_same_sound(layout.sound_path("Mine", film.name), film)


@pytest.mark.slow
def test_sound_with_a_gap_of_hours_is_ingested_in_little_memory(tmp_path, make):
    sound = [(0, make.click(0.5, 1)), (2 * 3600, make.click(0.5, 1))]
    times_ms = range(0, 7_200_000, 7200)
    path = make.write(tmp_path / "hours.mkv", make.pictures(1000, 8, 8), sound, times_ms=times_ms)
    gaze = gaze_at_both_ends_of_each_frame(list(open_film(path).pictures()), path.with_suffix(".csv"))
    tracemalloc.start()
    layout = ingested(path, gaze)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    seconds = soundfile.info(layout.sound_path("Mine", "hours")).duration
    assert seconds == pytest.approx(2 * 3600 + 1, abs=0.001)
    assert peak < 30e6  # bytes; the sound has 318 million


def ingested(path: Path, gaze: Path) -> RawLayout:
    raw = path.parent / "raw"
    ingest([path], [gaze], raw, "Mine", test=[path.name], viewing=Viewing(sigma=3), units="pixels", workers=1)
    return RawLayout(raw)


def gaze_at_both_ends_of_each_frame(pictures: list[Picture], path: Path) -> Path:
    """Writes a table with a point as each frame appears, and one a millisecond before the next frame replaces it."""
    width = pictures[0].pixels.shape[1]
    lines = ["time,x,y"]
    for index, (picture, following) in enumerate(pairwise([*pictures, None])):
        x, y = place_of(index, width)
        lines.append(f"{float(picture.seconds):.6f},{x},{y}")
        if following:
            lines.append(f"{float(following.seconds) - 0.001:.6f},{x},{y + 1}")
    path.write_text("\n".join(lines) + "\n")
    return path


def place_of(index: int, width: int) -> tuple[int, int]:
    """Returns (x, y): another place for each frame, and not (0, 0), which means no data."""
    return 1 + index % (width - 1), 2 * (index // (width - 1)) + 1


def assert_same_sound(path: Path, film: Film) -> None:
    heard = list(film.waveform(warn=False))
    assert path.exists() == bool(heard)
    if not heard:
        return
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    expected, found = np.concatenate(heard), resample(samples.mean(axis=1), rate_hz) * FULL_SCALE
    assert len(found) == pytest.approx(len(expected), abs=3)  # every change of the sample rate rounds
    assert np.abs(expected).max() > LOUD
    length = min(len(found), len(expected))
    differences = np.abs(found[:length] - expected[:length])
    assert np.count_nonzero(differences > 0.1) <= (40 if path.stem == "mixed" else 0)  # filters ring where rates change
