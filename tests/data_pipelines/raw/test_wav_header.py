import struct

import numpy as np
import pytest
import soundfile

from data_pipelines.raw.layout import read_sound, sound_seconds

RATE_HZ = 8000
SAMPLES = np.arange(1, 1001, dtype=np.int16)
TITLES = b"LIST\4\0\0\0INFO"
UNKNOWN = 2**32 - 1


def wav(riff: int, data: int, before: bytes = b"", samples: np.ndarray = SAMPLES, after: bytes = b"") -> bytes:
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)
    head = struct.pack("<4sI4s", b"RIFF", riff, b"WAVE")
    return head + form + before + struct.pack("<4sI", b"data", data) + samples.tobytes() + after


RF64 = b"RF64" + struct.pack("<I", UNKNOWN) + b"WAVE" + struct.pack("<4sIQQQI", b"ds64", 28, 0, 0, 0, 0)


@pytest.mark.parametrize(
    "content",
    [
        wav(0, 0),
        wav(36 + 2000, 0),
        wav(UNKNOWN, 0),
        wav(0, 0, TITLES),
        wav(UNKNOWN, UNKNOWN),
        wav(36 + 9000, 9000),
        wav(2**31 - 1, 2**31 - 37),
        RF64 + wav(0, UNKNOWN)[12:],
    ],
    ids=["zeros", "zero data", "streamed", "titles first", "unknown", "too large", "2 GiB", "RF64 of zeros"],
)
def test_a_header_without_the_right_size_is_read_to_the_end(tmp_path, content):
    path = tmp_path / "film.wav"
    path.write_bytes(content)
    samples, rate_hz = read_sound(path)
    np.testing.assert_array_equal(samples * 128, SAMPLES)
    assert rate_hz == RATE_HZ
    assert sound_seconds(path) == len(SAMPLES) / RATE_HZ


@pytest.mark.parametrize("after", [b"", TITLES])
def test_a_sound_without_samples_stays_empty(tmp_path, after):
    path = tmp_path / "film.wav"
    path.write_bytes(wav(36, 0, samples=SAMPLES[:0], after=after))
    assert len(read_sound(path)[0]) == sound_seconds(path) == 0


def test_other_formats_are_left_alone(tmp_path):
    path = tmp_path / "film.aiff"
    soundfile.write(path, SAMPLES[:0], RATE_HZ)
    assert len(read_sound(path)[0]) == 0
