from fractions import Fraction
from itertools import pairwise

import pytest

from data_pipelines.film_clock import rising_times

STEP = Fraction(1, 10)


def clock(*tenths: float | None) -> list[float]:
    """Timestamps in tenths of a second -> times in tenths, at a nominal ten frames a second."""
    times = [None if tenth is None else Fraction(tenth) / 10 for tenth in tenths]
    timed = list(rising_times(enumerate(times), times[0] or Fraction(0), STEP))
    assert [number for number, _ in timed] == list(range(len(times)))
    seconds = [seconds for _, seconds in timed]
    assert all(earlier < later for earlier, later in pairwise(seconds))
    return [float(10 * time) for time in seconds]


def test_rising_timestamps_are_kept_from_the_first_one_on():
    assert clock(30, 31, 33.5, 100) == [0, 1, 3.5, 70]
    assert clock(-5, -4) == [0, 1]
    assert clock(7) == [0]


def test_no_frame_gives_no_time():
    assert list(rising_times([], Fraction(0), STEP)) == []


def test_missing_timestamps_are_filled_at_the_nominal_rate():
    assert clock(None, None, None) == [0, 1, 2]
    assert clock(0, None, 2, None, None, 5) == [0, 1, 2, 3, 4, 5]


def test_what_is_filled_stays_before_the_next_timestamp():
    assert clock(0, None, 0.5) == [0, 0.25, 0.5]
    assert clock(0, 0, 0.5, 1) == [0, 0.25, 0.5, 1]


@pytest.mark.parametrize("wrong", [9000, -9000, 1, 0])
def test_a_single_wrong_timestamp_moves_no_other(wrong):
    assert clock(0, 1, wrong, 3, 4) == [0, 1, 2, 3, 4]


def test_timestamps_out_of_order_keep_their_average():
    """As FFmpeg gives those of H.264 in AVI, where they belong to another frame."""
    assert clock(1, 3, 4, 2, 6, 7, 5, 9, 10, 8, 11) == [0, 2, 3, 4, 5, 6, 7, 8, 9, 9.5, 10]


def test_timestamps_that_begin_again_go_on_from_there():
    part = [0, 1, 2.5, 3, *range(4, 15)]
    assert clock(*part, *part)[len(part) :] == [15 + time for time in part]
    assert clock(*range(100, 115), *range(15), *range(500, 503)) == [*range(30), *range(515, 518)]


def test_equal_timestamps_still_rise():
    assert clock(*[5] * 5) == [0, 1, 2, 3, 4]
