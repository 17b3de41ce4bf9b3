from fractions import Fraction
from itertools import pairwise

import pytest

from data_pipelines.films.clock import LONGEST_GAP_SECONDS, rising_times, sound_times

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


def test_timestamps_that_leap_ahead_to_another_clock_go_on_from_there():
    longest = 10 * LONGEST_GAP_SECONDS
    assert clock(0, 1, longest, longest + 1) == [0, 1, longest, longest + 1]
    leap = longest + 2
    assert clock(0, 1, leap, leap + 1, 9 * leap, 9 * leap + 3) == [0, 1, 2, 3, 4, 7]
    assert clock(0, 1, leap, 3) == [0, 1, 2, 3]
    assert clock(0, 1, leap) == [0, 1, 2]


def heard(*tenths: float | None, start: float = 0) -> list[float]:
    """Timestamps of pieces that last a tenth of a second -> when they are heard, in tenths."""
    times = [None if tenth is None else Fraction(tenth) / 10 for tenth in tenths]
    timed = ((number, time, STEP) for number, time in enumerate(times))
    found = list(sound_times(timed, Fraction(start) / 10))
    assert [number for number, _ in found] == list(range(len(times)))
    return [float(10 * seconds) for _, seconds in found]


def test_sound_keeps_gaps_and_overlaps_on_which_two_timestamps_agree():
    assert heard(2, 3, 14, 15) == [2, 3, 14, 15]
    assert heard(2, 3, 4, 3.5, 4.5) == [2, 3, 4, 3.5, 4.5]
    assert heard(0, None, 2) == [0, 1, 2]


@pytest.mark.parametrize("wrong", [200, -200, 3])
def test_a_single_wrong_timestamp_of_sound_moves_nothing(wrong):
    assert heard(0, 1, wrong, 3, 4) == [0, 1, 2, 3, 4]


def test_sound_goes_on_where_its_timestamps_begin_again_or_leap_to_another_clock():
    longest = 10 * LONGEST_GAP_SECONDS
    assert heard(50, 51, 52, 0, 1) == [50, 51, 52, 53, 54]
    assert heard(0, 1, longest, longest + 1) == [0, 1, longest, longest + 1]
    assert heard(0, 1, 2 * longest, 2 * longest + 1) == [0, 1, 2, 3]
    assert heard(2 * longest, 2 * longest + 1, 2 * longest + 5, start=7) == [7, 8, 12]
