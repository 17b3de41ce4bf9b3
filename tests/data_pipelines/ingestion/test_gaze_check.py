"""`ingest --check`: film and sheet show the gaze where it is, and what is printed says how much of it there is."""

from fractions import Fraction
from pathlib import Path

import av
import made_films
import numpy as np
import pytest
from PIL import Image

from data_pipelines.drawing.mp4_film import mp4_writer
from data_pipelines.ingest import ingest, main
from data_pipelines.ingestion.gaze_check import COLOURS, MARGIN_GREY, OUTSIDE
from data_pipelines.ingestion.viewing_geometry import Viewing

WIDTH, HEIGHT, NUM_FRAMES = 160, 120, 6
MARGIN = WIDTH // 8, HEIGHT // 8


@pytest.fixture
def film(tmp_path) -> Path:
    pictures = np.full((NUM_FRAMES, HEIGHT, WIDTH, 3), 60, np.uint8)
    times_ms = [100 * number for number in range(NUM_FRAMES)]
    tone = np.full((1, 4800), 1000, np.int16)
    return made_films.write_film(tmp_path / "a.mkv", pictures, [(0, tone)], times_ms=times_ms, container="matroska")


def write_gaze(path: Path, rows) -> Path:
    path.write_text("\n".join(["observer,time,x,y", *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def gaze(start: float = 0.05, x: float = 40, beside: float = WIDTH + 10):
    """Two observers on every frame: one in the picture, whose gaze walks to the right, one to the right of it."""
    return [
        row
        for frame in range(NUM_FRAMES)
        for row in (("A", start + 0.1 * frame, x + 10 * frame, 30), ("B", start + 0.1 * frame, beside, 60))
    ]


def is_near(colour, wanted, tolerance: int = 60) -> bool:
    return bool((np.abs(np.asarray(colour, int) - wanted) < tolerance).all())


@pytest.fixture
def checked(film, tmp_path, capsys):
    """A function: gaze -> the frames of check.mp4, and what the command printed."""

    def run(rows) -> tuple[list[np.ndarray], str]:
        table = write_gaze(tmp_path / "a.csv", rows)
        arguments = ["--films", film, "--gaze", table, "--database", "D", "--output", tmp_path / "raw", "--check"]
        main([*map(str, arguments), "--workers", "1"])
        with av.open(str(tmp_path / "raw" / "annotations" / "D" / "a" / "check.mp4")) as check:
            assert [stream.type for stream in check.streams] == ["video", "audio"]
            frames = list(check.decode(video=0))
        assert [round(10 * frame.time) for frame in frames] == list(range(NUM_FRAMES))
        return [frame.to_ndarray(format="rgb24") for frame in frames], capsys.readouterr().out

    return run


def test_points_are_drawn_on_their_frames_and_beside_the_picture(checked, tmp_path):
    frames, _ = checked(gaze())
    for number, frame in enumerate(frames):
        assert is_near(frame[MARGIN[1] + 30, MARGIN[0] + 40 + 10 * number], COLOURS[0])
        assert is_near(frame[MARGIN[1] + 60, MARGIN[0] + WIDTH + 10], OUTSIDE)
        assert is_near(frame[-3, 3], MARGIN_GREY, 15)
        assert is_near(frame[MARGIN[1] + 100, MARGIN[0] + 10], 60, 30)
    with Image.open(tmp_path / "raw" / "annotations" / "D" / "a" / "check.png") as sheet:
        assert sheet.width > 900  # three frames or more


def test_pictures_are_as_wide_as_players_show_them(tmp_path):
    path = tmp_path / "a.mp4"
    with mp4_writer(path, 10, pixel_aspect=Fraction(2)) as add:
        for number in range(NUM_FRAMES):
            add(np.full((HEIGHT, WIDTH // 2, 3), 60, np.uint8), number / 10)
    table = write_gaze(tmp_path / "a.csv", gaze())
    ingest([path], [table], tmp_path / "raw", "D", workers=1, check=True, viewing=Viewing(screen=(WIDTH, HEIGHT)))
    folder = tmp_path / "raw" / "annotations" / "D" / "a"
    with av.open(str(folder / "check.mp4")) as check:
        assert check.streams.video[0].sample_aspect_ratio == 1
        frame = next(check.decode(video=0)).to_ndarray(format="rgb24")
    assert frame.shape[:2] == (HEIGHT + 2 * MARGIN[1], WIDTH + 2 * MARGIN[0])
    assert is_near(frame[MARGIN[1] + 30, MARGIN[0] + 40], COLOURS[0])
    with Image.open(folder / "check.png") as sheet:
        assert sheet.width > sheet.height


def test_points_far_away_lie_on_the_edge(checked):
    frames, _ = checked(gaze(beside=9999))
    assert is_near(frames[0][MARGIN[1] + 60, -2], OUTSIDE)


def test_the_command_says_how_much_gaze_a_film_has(checked):
    _, said = checked(gaze())
    assert "a: 50.0% of 12 gaze points within the picture; 0 of 6 frames without gaze; 1.0 gaze points a frame" in said
    assert "raw/annotations/D/a/check.mp4, check.png." in said


def test_nothing_is_drawn_without_the_flag(film, tmp_path):
    table = write_gaze(tmp_path / "a.csv", gaze())
    ingest([film], [table], tmp_path / "raw", "D", workers=1)
    assert not list((tmp_path / "raw").rglob("check.*"))


def test_much_gaze_beside_the_picture_is_told(film, tmp_path, caplog):
    table = write_gaze(tmp_path / "a.csv", gaze())
    ingest([film], [table], tmp_path / "raw", "D", workers=1)
    assert "1 of 1 films have less than 80% of their gaze within the picture; least: 50% of a" in caplog.text


def test_gaze_on_another_clock_is_told(film, tmp_path, caplog):
    table = write_gaze(tmp_path / "a.csv", gaze(start=0.42, beside=100))
    ingest([film], [table], tmp_path / "raw", "D", workers=1)
    assert "the gaze of a lasts from 0.4 to 0.9 s, the film from 0 to 0.6 s" in caplog.text


@pytest.mark.parametrize(
    ("width", "length", "told"),
    [
        (
            0.4,
            1.0,
            "have all their gaze in the upper left quarter of the picture; first: a. Check --screen",
        ),
        (0.9, 1e-3, "have all their gaze within 2% of their length; first: a. Check that times are seconds"),
        (0.9, 1.0, ""),
    ],
)
def test_much_gaze_in_a_corner_or_in_a_moment_is_told(film, tmp_path, caplog, width, length, told):
    """As of percent taken for pixels, or of seconds in a column of milliseconds."""
    shares = [(number + 0.5) / 120 for number in range(120)]
    rows = [("A", 0.6 * length * share, width * share * WIDTH, width * share * HEIGHT) for share in shares]
    ingest([film], [write_gaze(tmp_path / "a.csv", rows)], tmp_path / "raw", "D", workers=1)
    assert [told in message for message in caplog.messages] == [True] * bool(told)


def test_good_gaze_gives_no_warning(film, tmp_path, caplog):
    table = write_gaze(tmp_path / "a.csv", gaze(beside=100))
    ingest([film], [table], tmp_path / "raw", "D", workers=1)
    assert not caplog.records


def test_given_maps_over_a_folder_of_frames_are_drawn_as_given(tmp_path):
    for number in range(1, NUM_FRAMES + 1):
        for part in ("images", "maps", "fixation"):
            picture = np.zeros((HEIGHT, WIDTH), np.uint8)
            if part == "maps":
                picture[:, : WIDTH // 2] = 255
            elif part == "fixation":
                picture[90, 10 * number] = 255
            (tmp_path / "a" / part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(tmp_path / "a" / part / f"{number}.png")
    ingest([tmp_path / "a"], [tmp_path / "a"], tmp_path / "raw", "D", workers=1, check=True, height=60)
    with av.open(str(tmp_path / "raw" / "annotations" / "D" / "a" / "check.mp4")) as check:
        frames = [frame.to_ndarray(format="rgb24") for frame in check.decode(video=0)]
    assert len(frames) == NUM_FRAMES
    margin = MARGIN[0] // 2, MARGIN[1] // 2
    for number, frame in enumerate(frames, start=1):
        assert is_near(frame[margin[1] + 45, margin[0] + 5 * number], COLOURS[0], 90)
        assert frame[margin[1] + 30, margin[0] + 60].max() < 40 < frame[margin[1] + 30, margin[0] + 20].max()
