"""Times of capture: live frames that were held up on their way, restarts, and recordings."""

import pytest

from stavis_jax.streaming.source_clock import SourceClock


def test_a_frame_that_was_held_up_was_captured_when_its_timestamp_says():
    clock = SourceClock()
    assert clock.captured(1000.0, now=5.0) == 5.0
    assert clock.captured(1000.04, now=5.34) == pytest.approx(5.04, abs=1e-3)
    assert clock.captured(1000.08, now=5.35) == pytest.approx(5.08, abs=1e-3)


def test_a_burst_at_the_beginning_is_known_as_late_once_a_newer_frame_came_sooner():
    clock = SourceClock()
    assert clock.captured(0.0, now=9.0) == 9.0
    assert clock.captured(3.0, now=9.1) == pytest.approx(9.1)
    assert clock.captured(3.04, now=9.14) == pytest.approx(9.14)


def test_a_live_frame_is_never_captured_in_the_future():
    clock = SourceClock()
    for seconds, now in ((0, 1), (0.5, 1.2), (0.6, 1.9), (7.0, 2.0), (7.1, 9.0)):
        assert clock.captured(seconds, now) <= now


def test_clocks_that_drift_apart_do_not_look_like_a_delay():
    clock, late = SourceClock(), 0.0
    for step in range(3600):
        now = step * (1 + 5e-5)  # after an hour, 0.18 s
        late = max(late, now - clock.captured(float(step), now))
    assert late < 0.01


@pytest.mark.parametrize("seconds", [0.0, 5000.0])
def test_timestamps_that_begin_anew_are_of_now(seconds):
    clock = SourceClock()
    clock.captured(1000.0, now=1.0)
    assert clock.captured(seconds, now=1.04) == pytest.approx(1.04)


def test_frames_without_a_timestamp_are_of_now():
    assert SourceClock().captured(None, now=3.0) == 3.0


def test_frames_of_a_recording_are_due_at_their_times_however_fast_they_are_read():
    clock = SourceClock(is_recording=True)
    due = [clock.captured(seconds, now) for seconds, now in ((2.0, 10.0), (2.04, 10.001), (5.0, 10.002), (5.04, 14.0))]
    assert due == pytest.approx([10.0, 10.04, 13.0, 13.04])


def test_a_recording_that_is_decoded_too_slowly_plays_slower_and_falls_behind_by_two_seconds_at_most():
    clock = SourceClock(is_recording=True)
    delays = [3.0 * second - clock.captured(float(second), now=3.0 * second) for second in range(9)]
    assert delays == pytest.approx([0.0] + [2.0] * 8)


def test_a_gap_in_the_times_of_a_recording_is_not_waited_for():
    clock = SourceClock(is_recording=True)
    clock.captured(0.0, now=1.0)
    assert clock.captured(3600.0, now=1.04) == pytest.approx(1.04)
