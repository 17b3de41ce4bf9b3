import itertools
import logging
from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile

from data_pipelines.films import decoding
from data_pipelines.films import sound as film_sound
from data_pipelines.films.film import open_film
from data_pipelines.films.sound import BLOCK_SAMPLES, FULL_SCALE, resample, sound_chunks
from data_pipelines.runtime.errors import UserError

RATE_HZ = 22050
WITHIN_A_MILLISECOND = 0.001 * RATE_HZ


def whole(film) -> np.ndarray:
    return np.concatenate(list(film.waveform()))


def clicks(waveform: np.ndarray) -> np.ndarray:
    """When clicks sound, in seconds."""
    loud = np.flatnonzero(waveform > 30)
    return loud[np.diff(loud, prepend=-RATE_HZ) > RATE_HZ / 100] / RATE_HZ


def noise(seconds: float, rate_hz: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).integers(-8000, 8000, (channels, round(seconds * rate_hz))).astype(np.int16)


def test_a_real_films_sound_comes_at_the_networks_rate(real_film):
    waveform = whole(open_film(real_film("bigbuckbunny.mp4")))
    assert waveform.dtype == np.float32
    assert len(waveform) == pytest.approx(5.312 * RATE_HZ, abs=1024 * RATE_HZ / 48000)  # one AAC frame
    assert 5 < np.abs(waveform).max() < 256


def test_waveform_is_the_mean_of_the_channels_as_pcm_over_128(tmp_path, write_film, pictures):
    sound = np.stack([np.full(RATE_HZ, 12800), np.full(RATE_HZ, -2560)]).astype(np.int16)
    film = open_film(write_film(tmp_path / "film.mkv", pictures(), [(0, sound)], layout="stereo"))
    np.testing.assert_allclose(whole(film), (100 - 20) / 2)


@pytest.mark.parametrize(
    ("sample", "told"),
    [
        (np.nan, "samples that are not numbers"),
        (np.inf, "samples that are not numbers"),
        (9000, r"samples up to \d+, where 1"),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_with_floating_points_of_no_scale_are_refused(tmp_path, sample, told, channels):
    path = tmp_path / "sound.wav"
    soundfile.write(path, np.array([0.5, -4.0, sample]), RATE_HZ, "FLOAT")
    with pytest.raises(UserError, match=rf"sound\.wav: has {told}"):
        list(sound_chunks(path, Fraction(0), RATE_HZ, channels))


def test_sound_of_the_other_order_of_bytes_is_refused_rather_than_heard_as_noise(tmp_path):
    path = tmp_path / "sound.wav"
    soundfile.write(path, np.zeros(100), RATE_HZ, "PCM_16", "BIG", format="WAV")
    assert path.read_bytes().startswith(b"RIFX")
    with pytest.raises(UserError, match=r"sound\.wav: is a WAV file of the other order of bytes"):
        list(sound_chunks(path, Fraction(0), RATE_HZ, 1))


def test_six_channels_count_alike(tmp_path, write_film, pictures):
    sound = np.tile(np.int16([[1280], [2560], [3840], [5120], [6400], [7680]]), RATE_HZ)
    film = open_film(write_film(tmp_path / "film.mkv", pictures(), [(0, sound)], layout="5.1"))
    np.testing.assert_allclose(whole(film), (10 + 20 + 30 + 40 + 50 + 60) / 6)


def test_stereo_keeps_the_channels_apart(tmp_path, write_film, pictures):
    sound = np.stack([np.full(RATE_HZ, 8192), np.full(RATE_HZ, -4096)]).astype(np.int16)
    film = write_film(tmp_path / "film.mkv", pictures(), [(0, sound)], layout="stereo")
    stereo = np.concatenate(list(sound_chunks(film, Fraction(1), RATE_HZ, channels=2)))
    np.testing.assert_allclose(stereo, np.tile([0.25, -0.125], (RATE_HZ, 1)), atol=1e-4)


def test_stereo_of_another_rate_and_layout_fills_gaps_as_the_network_hears_them(tmp_path, write_film, pictures):
    sound = np.full((6, RATE_HZ // 2), 8192, np.int16)
    film = write_film(tmp_path / "film.mkv", pictures(), [(0, sound), (1.5, sound)], layout="5.1")
    heard = np.concatenate(list(sound_chunks(film, Fraction(1), 2 * RATE_HZ, channels=2)))
    expected = whole(open_film(film))
    assert heard.shape == (4 * RATE_HZ, 2) and len(expected) == 2 * RATE_HZ
    differs = (np.abs(heard[::2, 0]) > 0.1) != (np.abs(expected) > 25.6)
    assert differs.sum() < WITHIN_A_MILLISECOND  # the resampler rounds the edges off


def test_loudest_sound_stays_within_the_range(tmp_path, write_film, pictures):
    square = np.where(np.arange(44100) // 100 % 2, 32767, -32768).astype(np.int16)[None]  # overshoots when resampled
    waveform = whole(open_film(write_film(tmp_path / "film.mkv", pictures(), [(0, square)], rate_hz=44100)))
    assert len(waveform) == RATE_HZ
    assert waveform.min() == -256
    assert 255 < waveform.max() < 256


@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050, 44100, 48000, 96000])
def test_chunks_join_to_what_resampling_at_once_gives(tmp_path, write_film, pictures, rate_hz):
    sound = noise(1.7, rate_hz)
    film = open_film(write_film(tmp_path / "film.mkv", pictures(), [(0, sound)], rate_hz=rate_hz))
    expected = resample(sound[0] / 2**15, rate_hz) * FULL_SCALE
    waveform = whole(film)
    assert len(waveform) == len(expected)
    np.testing.assert_allclose(waveform, expected, atol=1e-5 * FULL_SCALE)


def test_resampling_keeps_pitch_and_loudness():
    tone = 100 * np.sin(2 * np.pi * 1000 * np.arange(48000) / 48000)
    resampled = resample(tone, 48000)
    assert len(resampled) == RATE_HZ
    expected = 100 * np.sin(2 * np.pi * 1000 * np.arange(RATE_HZ) / RATE_HZ)
    np.testing.assert_allclose(resampled[1000:-1000], expected[1000:-1000], atol=0.1)


@pytest.mark.parametrize("rate_hz", [22050, 48000])
@pytest.mark.parametrize("late_seconds", [0, 0.3, -0.3, 0.01, -0.01])
def test_sound_that_starts_late_or_early_keeps_its_place(tmp_path, write_film, pictures, click, late_seconds, rate_hz):
    sound = [(late_seconds, click(0.5, rate_hz=rate_hz))]
    waveform = whole(open_film(write_film(tmp_path / "film.mkv", pictures(), sound, rate_hz=rate_hz)))
    assert np.argmax(waveform) == pytest.approx((0.5 + late_seconds) * RATE_HZ, abs=WITHIN_A_MILLISECOND)
    assert len(waveform) == pytest.approx((2 + late_seconds) * RATE_HZ, abs=WITHIN_A_MILLISECOND)


def test_sound_that_ends_before_the_first_picture_is_none(tmp_path, write_film, pictures, click, caplog):
    film = open_film(write_film(tmp_path / "film.mkv", pictures(), [(-2, click(0.1, 1))], start_seconds=3))
    assert list(film.waveform()) == []
    assert "no sound" in caplog.text


@pytest.mark.parametrize("duration_seconds", [0.5, 5])
def test_sound_may_be_shorter_or_longer_than_the_picture(tmp_path, write_film, pictures, click, duration_seconds):
    film = open_film(write_film(tmp_path / "film.mkv", pictures(), [(0, click(0.2, duration_seconds))]))
    assert len(whole(film)) == duration_seconds * RATE_HZ
    assert len(list(film.frames(16))) == 20


def test_silence_fills_a_gap_in_the_timestamps(tmp_path, write_film, pictures, click):
    sound = [(0, click(0.5, 0.6)), (1.4, click(0.1, 0.3))]
    waveform = whole(open_film(write_film(tmp_path / "film.mkv", pictures(), sound)))
    np.testing.assert_allclose(clicks(waveform), [0.5, 1.5], atol=0.001)
    assert not waveform[round(0.61 * RATE_HZ) : round(1.39 * RATE_HZ)].any()
    assert len(waveform) == pytest.approx(1.7 * RATE_HZ, abs=WITHIN_A_MILLISECOND)


def test_sound_that_runs_ahead_of_its_timestamps_is_cropped(tmp_path, write_film, pictures, click):
    pieces = [(number / 2, click(0.25, 0.55)) for number in range(4)]  # each 50 ms longer than it should be
    waveform = whole(open_film(write_film(tmp_path / "film.mkv", pictures(), pieces)))
    np.testing.assert_allclose(clicks(waveform), [0.25, 0.75, 1.25, 1.75], atol=0.001)


def test_trembling_timestamps_neither_tear_nor_repeat_the_sound(tmp_path, write_film, pictures):
    sound, rng = noise(2, RATE_HZ), np.random.default_rng(1)
    pieces = [
        (begin / RATE_HZ + rng.uniform(-0.015, 0.015) * (begin > 0), sound[:, begin : begin + 1024])
        for begin in range(0, sound.shape[1], 1024)
    ]
    waveform = whole(open_film(write_film(tmp_path / "film.mkv", pictures(), pieces)))
    np.testing.assert_array_equal(waveform, sound[0] / np.float32(128))


@pytest.mark.parametrize("wrong", [None, 500, 0])
@pytest.mark.parametrize("block_samples", [BLOCK_SAMPLES, 1000])
def test_a_single_wrong_timestamp_does_not_move_the_sound(
    tmp_path, write_film, pictures, monkeypatch, wrong, block_samples
):
    """Be its packet worked on whole or in parts."""
    monkeypatch.setattr(film_sound, "BLOCK_SAMPLES", block_samples)
    sound, numbers = noise(2, RATE_HZ), itertools.count()

    def seconds_of(frame):
        return wrong if next(numbers) == 5 else decoding.seconds_of(frame)

    film = open_film(write_film(tmp_path / "film.mkv", pictures(), [(0, sound)]))
    monkeypatch.setattr(film_sound, "seconds_of", seconds_of)
    np.testing.assert_array_equal(whole(film), sound[0] / np.float32(128))
    assert next(numbers) > 6


def test_a_sound_of_hours_comes_in_small_chunks(tmp_path, write_film, pictures, click):
    film = open_film(write_film(tmp_path / "film.mkv", pictures(), [(0, click(0.5)), (2 * 3600, click(0.5))]))
    seconds = 0
    for chunk in film.waveform():
        assert len(chunk) < 6 * RATE_HZ
        seconds += len(chunk) / RATE_HZ
    assert seconds == pytest.approx(2 * 3600 + 2, abs=0.001)


def test_films_joined_end_to_end_keep_sound_and_picture_together(tmp_path, click, broadcast):
    part = broadcast(tmp_path / "part.ts", 48000, "mono", click(0.5, rate_hz=48000))
    (tmp_path / "film.ts").write_bytes(part * 4)
    film = open_film(tmp_path / "film.ts")
    assert [picture.seconds for picture in film.pictures()] == [Fraction(number, 25) for number in range(200)]
    alone = clicks(whole(open_film(tmp_path / "part.ts")))[0]
    assert alone == pytest.approx(0.5, abs=0.03)  # the encoder's delay
    joint = 2 * 0.024  # at every joint the sound's last packet lasts a little longer than the picture, or less
    np.testing.assert_allclose(clicks(whole(film)), alone + 2 * np.arange(4), atol=3 * joint)


def test_rate_and_channels_may_change_midway(tmp_path, click, broadcast):
    parts = [
        broadcast(tmp_path / "1.ts", 48000, "stereo", click(0.5, rate_hz=48000, channels=2)),
        broadcast(tmp_path / "2.ts", 44100, "mono", click(0.5, rate_hz=44100)),
        broadcast(tmp_path / "3.ts", 32000, "stereo", click(0.5, rate_hz=32000, channels=2)),
    ]
    (tmp_path / "film.ts").write_bytes(b"".join(parts))
    waveform = whole(open_film(tmp_path / "film.ts"))
    np.testing.assert_allclose(clicks(waveform), [0.5, 2.5, 4.5], atol=0.1)
    assert len(waveform) == pytest.approx(6 * RATE_HZ, abs=0.1 * RATE_HZ)


def test_film_without_sound_is_silent_with_one_warning(tmp_path, write_film, pictures, caplog):
    film = open_film(write_film(tmp_path / "film.mkv", pictures()))
    assert not film.has_sound and film.sound_path is None
    assert list(film.frames(16)) and list(film.waveform()) == []
    (warning,) = caplog.records
    assert warning.levelno == logging.WARNING
    assert "film.mkv: no sound" in warning.getMessage()


def test_damaged_sound_leaves_a_gap_of_its_length(tmp_path, write_film, pictures, caplog):
    sound = noise(2, RATE_HZ)
    path = write_film(tmp_path / "film.mkv", pictures(2), [(0, sound)], sound_codec="flac")
    with av.open(str(path)) as film:
        packets = list(film.demux(audio=0))
        payload, begin, end = bytes(packets[3]), packets[3].pts, packets[4].pts  # milliseconds
    path.write_bytes(path.read_bytes().replace(payload, b"\xff" * len(payload)))
    waveform = whole(open_film(path))
    assert "film.mkv: 1 damaged packets of its sound were left out" in caplog.text
    assert len(waveform) == pytest.approx(2 * RATE_HZ, abs=WITHIN_A_MILLISECOND)
    assert np.count_nonzero(waveform == 0) == pytest.approx(
        (end - begin) / 1000 * RATE_HZ, abs=2 * WITHIN_A_MILLISECOND
    )


def test_sound_of_another_file_starts_with_the_first_frame(tmp_path, write_film, pictures, click):
    film = write_film(tmp_path / "film.mkv", pictures(), [(0, click(0.5))])
    other = write_film(tmp_path / "other.mkv", pictures(3), [(0.2, click(0.5))], start_seconds=7)
    with av.open(str(tmp_path / "music.m4a"), "w") as music:
        audio = music.add_stream("aac", rate=RATE_HZ, layout="mono")
        frame = av.AudioFrame.from_ndarray(click(1), "s16", "mono")
        frame.rate, frame.pts = RATE_HZ, 0
        music.mux(audio.encode(frame))
        music.mux(audio.encode(None))
    for sound, seconds, start in ((other, 0.7, 7), (tmp_path / "music.m4a", 1.0, 0)):
        opened = open_film(film, sound=sound)
        assert (opened.sound_path, opened.start_seconds) == (sound, start)
        np.testing.assert_allclose(clicks(whole(opened)), [seconds], atol=0.002)


def test_a_sound_file_without_sound_is_named(tmp_path, write_film, pictures):
    film = write_film(tmp_path / "film.mkv", pictures())
    (tmp_path / "noise.wav").write_bytes(bytes(range(256)))
    for name, fault in (
        ("none.wav", "no such file"),
        ("film.mkv", "holds no sound"),
        ("noise.wav", "cannot be read as a sound"),
    ):
        with pytest.raises(UserError, match=f"{name}: {fault}"):
            open_film(film, sound=tmp_path / name)


def test_eight_bit_and_float_samples_reach_the_same_loudness(tmp_path, write_film, pictures):
    sound = np.full((1, RATE_HZ), 2**14, np.int16)
    for codec in ("pcm_u8", "pcm_s24le", "pcm_f32le", "pcm_f64le"):
        path = write_film(tmp_path / f"{codec}.mkv", pictures(2), [(0, sound)], sound_codec=codec)
        np.testing.assert_allclose(whole(open_film(path)), 128)


@pytest.mark.parametrize(("right", "told"), [(-1.0, True), (0.0, False), (1.0, False)])
@pytest.mark.parametrize("read", [1, 100])
def test_channels_that_cancel_each_other_get_one_warning(tmp_path, write_film, pictures, caplog, right, told, read):
    """Also if a film is shorter than its sound, so that the rest of the sound is not read."""
    sound = noise(4, RATE_HZ).repeat(2, axis=0) * np.array([[1], [right]])
    path = write_film(tmp_path / "film.mkv", pictures(5), [(0, sound.astype(np.int16))], layout="stereo")
    film = open_film(path)
    for _ in itertools.islice(film.waveform(), read):
        pass
    list(film.waveform(warn=False))
    assert [record.message for record in caplog.records] == [
        f"{path}: the channels of its sound cancel each other; it is heard as silence."
    ] * told
