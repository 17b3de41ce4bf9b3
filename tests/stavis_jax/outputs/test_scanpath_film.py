import numpy as np
import pytest

from data_pipelines.ingestion.gaze import Conventions, GazeTable
from data_pipelines.ingestion.gaze_check import COLOURS
from stavis_jax.outputs.recorded_gaze import RecordedGaze
from stavis_jax.outputs.scanpath_film import Scanpath, scanpath_film

FRAMES = 40


def gaze(rows, *, counts_frames: bool = False, units="pixels") -> GazeTable:
    """`rows`: (observer, start, duration, x, y)."""
    observer, starts, durations, x, y = np.array(rows, float).T
    names = tuple(f"o{number}" for number in range(int(observer.max()) + 1))
    conventions = Conventions(units=units)
    return GazeTable(starts, durations, x, y, counts_frames, observer.astype(int), names, conventions)


@pytest.fixture
def film(write_film, open_film, tmp_path):
    """40 grey frames of 96x64 pixels, 25 a second, with sound."""
    return open_film(write_film(tmp_path / "film.mkv", list(range(0, 40 * FRAMES, 40)), (64, 96), late_seconds=0.0))


def test_a_fixation_is_current_while_it_lasts_and_then_a_trail_for_a_second(film):
    scanpath = Scanpath(gaze([(0, 0.2, 0.2, 10, 20), (0, 0.4, 0.2, 50, 20)]), film)

    def shown(seconds: float):
        found = list(scanpath.shown(1 + round(seconds * 25), seconds))
        return [(trail[:, 0].tolist(), current[:, 0].tolist()) for _, trail, current in found]

    assert shown(0.12) == []
    assert shown(0.2) == shown(0.36) == [([10], [10])]
    assert shown(0.4) == shown(0.56) == [([10, 50], [50])]
    assert shown(0.64) == [([10, 50], [])]
    assert shown(1.44) == [([50], [])]  # the first one ended more than a second ago
    assert shown(1.64) == []


def test_a_long_fixation_stays_and_a_sample_is_current_on_its_frame_only(film):
    scanpath = Scanpath(gaze([(0, 0.0, 1.5, 10, 20), (1, 0.5, 0, 30, 40)]), film)
    by_time = {time: [len(current) for _, _, current in scanpath.shown(0, time)] for time in (0.48, 0.52, 1.4)}
    assert by_time == {0.48: [1, 1], 0.52: [1, 0], 1.4: [1, 0]}


def test_frame_numbers_are_those_of_the_film(film):
    scanpath = Scanpath(gaze([(0, 5, 0, 10, 20)], counts_frames=True), film)
    current = [number for number in range(1, 12) for _, _, points in scanpath.shown(number, 99.0) if len(points)]
    assert current == [5]


def test_dots_are_where_and_when_people_looked_in_a_colour_for_each_observer(
    film, feed, predicted, frames_of, tmp_path
):
    rows = [(0, 0.4, 0.4, 0.25, 0.5), (1, 0.8, 0.4, 0.75, 0.25), (1, 0.0, 0.2, 7.0, 7.0)]  # the last one is outside
    recorded = RecordedGaze({"film": [gaze(rows, units="fraction")]})
    feed(scanpath_film, tmp_path / "scanpath.mp4", film, predicted([np.eye(8)] * FRAMES), gaze=recorded)
    frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in frames_of(tmp_path / "scanpath.mp4", "video")]
    assert len(frames) == FRAMES and frames[0].shape == (64, 96, 3)
    assert np.ptp(frames[5]) < 12  # nobody looks yet
    for frame, (x, y), colour in ((15, (24, 32), COLOURS[0]), (25, (72, 16), COLOURS[1])):
        assert np.abs(frames[frame][y, x] - colour).max() < 60
    assert np.abs(frames[15][16, 72] - 128).max() < 12
    assert frames_of(tmp_path / "scanpath.mp4", "audio")


@pytest.mark.parametrize(
    ("row", "seen"),
    [
        ((0, 400, 200, 48, 32), "0%"),  # milliseconds
        ((0, 0.4, 0.2, 960, 540), "0%"),  # on a screen
        ((0, -9, 0.2, 48, 32), "0%"),
        ((0, -0.1, 0.2, 48, 32), None),
        ((0, 1.58, 9, 48, 32), None),
    ],
)
def test_gaze_that_nobody_can_see_is_a_warning(row, seen, film, feed, predicted, tmp_path, caplog):
    recorded = RecordedGaze({"film": [gaze([row])]})
    feed(scanpath_film, tmp_path / "scanpath.mp4", film, predicted([np.eye(8)] * FRAMES), gaze=recorded)
    assert [f" {seen} of its gaze is within the picture and the film" in line for line in caplog.messages] == [
        True
    ] * bool(seen)


def test_gaze_that_counts_frames_is_seen_from_the_first_to_the_last(film):
    scanpath = Scanpath(gaze([(0, number, 0, 10, 20) for number in (0, 1, 40, 41)], counts_frames=True), film)
    assert scanpath.seen(FRAMES, 1.56).tolist() == [False, True, True, False]
