from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from data_pipelines.films.film import open_film

STILL, MOVING, OTHER = 50, 120, 200  # levels of grey


def write(path: Path, tracks: list[tuple[int, int]], default: int | None = None, sounds: tuple[int, ...] = ()) -> Path:
    """Writes video tracks of (grey level, number of frames) at 10 Hz, and tracks of constant sound; `default`: which
    of all tracks is marked."""
    with av.open(str(path), "w") as film:
        videos = [film.add_stream("ffv1", rate=10) for _ in tracks]
        audios = [film.add_stream("pcm_s16le", rate=8000, layout="mono") for _ in sounds]
        for index, stream in enumerate((*videos, *audios)):
            stream.disposition = (Disposition.default if index == default else Disposition(0)).value
        for stream in videos:
            stream.width, stream.height, stream.pix_fmt = 32, 16, "bgr0"
        for number in range(max(length for _, length in tracks)):
            for stream, (level, length) in zip(videos, tracks, strict=True):
                if number < length:
                    picture = np.full((16, 32, 3), level, np.uint8)
                    film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        for stream, level in zip(audios, sounds, strict=True):
            frame = av.AudioFrame.from_ndarray(np.full((1, 8000), level, np.int16), "s16", "mono")
            frame.rate = 8000
            film.mux(stream.encode(frame))
        for stream in (*videos, *audios):
            film.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("tracks", "default", "expected"),
    [
        ([(STILL, 1), (MOVING, 12)], None, MOVING),
        ([(STILL, 1), (MOVING, 12)], 0, MOVING),  # the cover picture of some programs
        ([(OTHER, 12), (MOVING, 12)], 1, MOVING),
        ([(OTHER, 12), (MOVING, 12)], 0, OTHER),
        ([(OTHER, 12), (MOVING, 12)], None, OTHER),
        ([(STILL, 1), (OTHER, 12), (MOVING, 200)], 2, MOVING),
        ([(STILL, 1), (OTHER, 1)], None, STILL),
        ([(STILL, 1), (OTHER, 1)], 1, OTHER),
    ],
)
def test_the_track_is_the_default_one_of_those_that_move(tmp_path, tracks, default, expected):
    film = open_film(write(tmp_path / "film.mkv", tracks, default))
    pictures = [picture.pixels for picture in film.pictures()]
    assert {int(picture.max()) for picture in pictures} == {expected}
    assert len(pictures) == dict(tracks)[expected]


@pytest.mark.parametrize(("default", "expected"), [(None, 1000), (1, 1000), (2, 4000)])
def test_the_sound_is_the_default_one(tmp_path, default, expected):
    film = open_film(write(tmp_path / "film.mkv", [(MOVING, 10)], default, sounds=(1000, 4000)))
    assert {int(chunk[0, 0]) for chunk in film.pcm().chunks} == {expected}
    assert max(float(chunk.max()) for chunk in film.waveform()) == pytest.approx(
        expected / 128, rel=0.25
    )  # it overshoots
