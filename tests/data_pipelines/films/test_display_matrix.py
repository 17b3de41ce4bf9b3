"""Films are turned and mirrored as FFmpeg shows them: its filters are the truth, chosen as its command line does."""

import itertools
from fractions import Fraction
from pathlib import Path

import av
import made_films
import numpy as np
import pytest

from data_pipelines.drawing.mp4_film import mp4_writer
from data_pipelines.films.film import open_film

# (a, b, c, d): a point (x, y) is shown at (ax + cy, bx + dy). FFmpeg's filters: fftools/ffmpeg_filter.c, autorotate.
FILTERS = {
    (1, 0, 0, 1): [],
    (-1, 0, 0, 1): [("hflip", None)],
    (1, 0, 0, -1): [("vflip", None)],
    (-1, 0, 0, -1): [("hflip", None), ("vflip", None)],
    (0, 1, -1, 0): [("transpose", "clock")],
    (0, 1, 1, 0): [("transpose", "cclock_flip")],
    (0, -1, 1, 0): [("transpose", "cclock")],
    (0, -1, -1, 0): [("transpose", "clock_flip")],
}


def with_matrix(path: Path, matrix: tuple[float, ...]) -> Path:
    """Writes an MP4 of three frames of coloured quarters, 64x48 pixels, with a display matrix."""
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32], picture[:24, 32:], picture[24:, :32] = (250, 20, 20), (20, 250, 20), (20, 20, 250)
    made_films.write_film(
        path, [picture] * 3, codec="mpeg4", pix_fmt="yuv420p", time_base=Fraction(1, 10), options={"qscale": "2"}
    )
    return turned(path, matrix)


def turned(path: Path, matrix: tuple[float, ...]) -> Path:
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 44  # ISO 14496-12, 8.3.2: nine 32-bit numbers
    for place, value in zip((0, 4, 12, 16), matrix, strict=True):
        content[at + place : at + place + 4] = round(value * 2**16).to_bytes(4, "big", signed=True)
    path.write_bytes(content)
    return path


def as_ffmpeg_shows(path: Path, filters: list[tuple[str, str | None]]) -> np.ndarray:
    with av.open(str(path)) as film:
        frame = next(film.decode(video=0))
        graph = av.filter.Graph()
        chain = [graph.add_buffer(template=film.streams.video[0]), graph.add("format", "rgb24")]
        chain += [graph.add(name, arguments) for name, arguments in filters]
        chain.append(graph.add("buffersink"))
        for one, following in itertools.pairwise(chain):
            one.link_to(following)
        graph.configure()
        graph.push(frame)
        return graph.pull().to_ndarray(format="rgb24")


@pytest.mark.parametrize("matrix", FILTERS)
def test_all_eight_orientations_are_shown_as_ffmpeg_shows_them(tmp_path, matrix):
    path = with_matrix(tmp_path / "film.mp4", matrix)
    film, expected = open_film(path), as_ffmpeg_shows(path, FILTERS[matrix])
    assert (film.height, film.width) == expected.shape[:2]
    for picture in film.pictures():
        assert np.abs(picture.pixels.astype(int) - expected).mean() < 2  # of the conversion to RGB


@pytest.mark.parametrize("degrees", [30, 45, 200])
def test_other_turns_keep_the_size_as_ffmpegs_do(tmp_path, degrees):
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    path = with_matrix(tmp_path / "film.mp4", (cosine, sine, -sine, cosine))
    expected = as_ffmpeg_shows(path, [("rotate", f"{degrees}*PI/180")])
    shown = next(open_film(path).pictures()).pixels
    assert shown.shape == expected.shape
    assert np.abs(shown.astype(int) - expected).mean() < 4


def test_a_matrix_of_zeros_is_none(tmp_path):
    path = with_matrix(tmp_path / "film.mp4", (0, 0, 0, 0))
    assert np.abs(next(open_film(path).pictures()).pixels.astype(int) - as_ffmpeg_shows(path, [])).mean() < 2


@pytest.mark.parametrize(
    ("stated", "matrix", "aspect"),
    [
        (Fraction(64, 45), (1, 0, 0, 1), Fraction(64, 45)),
        (Fraction(64, 45), (0, 1, -1, 0), Fraction(45, 64)),
        (Fraction(64, 45), (-1, 0, 0, -1), Fraction(64, 45)),
        (Fraction(64, 45), (-1, 0, 0, 1), Fraction(64, 45)),
        (Fraction(64, 45), (0, 1, 1, 0), Fraction(45, 64)),
        (Fraction(1), (0, 1, -1, 0), 1),
        (Fraction(50), (1, 0, 0, 1), 1),  # a slip
    ],
)
def test_the_shape_of_pixels_is_told_as_they_are_shown(tmp_path, stated, matrix, aspect):
    path = tmp_path / "film.mp4"
    with mp4_writer(path, 10, pixel_aspect=stated) as add:
        add(np.zeros((48, 64, 3), np.uint8), 0)
    assert float(open_film(turned(path, matrix)).pixel_aspect) == pytest.approx(float(aspect), rel=1e-3)
