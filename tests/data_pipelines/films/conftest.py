"""Films for the tests of this folder, written by PyAV: small, and exact where the codec allows."""

import functools
from collections.abc import Callable
from pathlib import Path

import av
import made_films
import numpy as np
import pytest

RATE_HZ = 22050


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


@pytest.fixture(scope="session")
def pictures() -> Callable[..., np.ndarray]:
    return made_films.noise_pictures


@pytest.fixture(scope="session")
def write_film() -> Callable[..., Path]:
    return functools.partial(made_films.write_film, start_seconds=1, title="a film")


@pytest.fixture(scope="session")
def click() -> Callable[..., np.ndarray]:
    return click_at


@pytest.fixture(scope="session")
def damage_packets() -> Callable[[Path, slice], Path]:
    return spoil


@pytest.fixture(scope="session")
def real_film() -> Callable[[str], Path]:
    return made_films.real_film


@pytest.fixture(scope="session")
def broadcast() -> Callable[..., bytes]:
    return broadcast_of


@pytest.fixture(scope="session")
def encode() -> Callable[..., Path]:
    return encode_with_loss


@pytest.fixture(scope="session")
def film_of_a_phone() -> Callable[[Path], Path]:
    return phone_film
