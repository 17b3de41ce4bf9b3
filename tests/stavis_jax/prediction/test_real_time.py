"""The stride of real time is the smallest one that is fast enough, on machines whose speed the tests make up."""

import itertools

import pytest
from made_models import Brightness

from stavis_jax.prediction import real_time
from stavis_jax.prediction.frame_stream import LARGEST_STRIDE
from stavis_jax.prediction.real_time import measured_rate, real_time_batch, smallest_fast_stride


class Machine:
    """Makes maps in `frame_ms` a frame and `clip_ms` a clip, and notes which strides are measured."""

    def __init__(self, frame_ms: float, clip_ms: float):
        self.frame_ms, self.clip_ms, self.measured = frame_ms, clip_ms, []

    def rate(self, stride: int) -> float:
        self.measured.append(stride)
        return 1000 / (self.frame_ms + self.clip_ms / stride)


@pytest.mark.parametrize(
    ("frame_ms", "clip_ms", "frame_rate_hz", "stride"),
    [(1, 30, 25, 1), (1, 37.1, 25, 2), (5, 60, 25, 2), (5, 60, 50, 5), (5, 300, 25, 10), (0, 45, 12.5, 1)],
)
def test_the_smallest_fast_stride_is_chosen(frame_ms, clip_ms, frame_rate_hz, stride):
    machine = Machine(frame_ms, clip_ms)
    choice = smallest_fast_stride(frame_rate_hz, machine.rate)
    assert choice.stride == stride and choice.has_headroom
    assert choice.line().startswith(f"real time: stride {stride}, ")
    if stride > 1:
        assert machine.rate(stride - 1) < real_time.HEADROOM * frame_rate_hz


def test_strides_that_cannot_be_enough_are_not_measured():
    machine = Machine(frame_ms=0.1, clip_ms=400)
    assert smallest_fast_stride(25, machine.rate).stride == 11
    assert machine.measured == [1, 11]


def test_a_network_that_is_too_slow_gets_the_largest_stride_and_says_so():
    choice = smallest_fast_stride(25, Machine(frame_ms=1, clip_ms=10_000).rate)
    assert choice.stride == LARGEST_STRIDE and not choice.is_fast_enough
    assert "out of reach with any stride: stride 64, 6.36 maps a second for 25 frames a second" in choice.line()


def test_a_film_that_is_read_too_slowly_keeps_a_small_stride_since_a_larger_one_gains_nothing():
    choice = smallest_fast_stride(25, Machine(frame_ms=200, clip_ms=10).rate)
    assert choice.stride == 1 and not choice.is_fast_enough


def test_a_stride_that_is_just_fast_enough_is_taken_if_none_leaves_headroom():
    choice = smallest_fast_stride(25, Machine(frame_ms=38.5, clip_ms=10).rate)
    assert 25 <= choice.maps_per_second < real_time.HEADROOM * 25
    assert choice.line().startswith(f"real time: stride {choice.stride}, ")


class Clock:
    def __init__(self, monkeypatch):
        self.seconds = 0.0
        monkeypatch.setattr(real_time.time, "perf_counter", lambda: self.seconds)

    def batches(self, num_frames: int, in_batch: int, first_seconds: float, seconds: float):
        """Yields frames that come in batches; the first batch takes longer."""
        for number in range(num_frames):
            if number % in_batch == 0:
                self.seconds += first_seconds if number == 0 else seconds
            yield number


def test_the_first_batch_is_not_part_of_the_rate(monkeypatch):
    frames = Clock(monkeypatch).batches(10_000, in_batch=8, first_seconds=100.0, seconds=0.4)
    assert measured_rate(frames, 8) == pytest.approx(20)
    assert next(frames) < 100  # it has stopped early


def test_a_film_shorter_than_two_batches_counts_whole(monkeypatch):
    clock = Clock(monkeypatch)
    assert measured_rate(clock.batches(6, in_batch=4, first_seconds=1.0, seconds=0.5), 4) == pytest.approx(4)


def test_frames_that_wait_to_be_written_do_not_count(monkeypatch):
    clock, written = Clock(monkeypatch), itertools.count()
    frames = clock.batches(10_000, in_batch=1, first_seconds=0.1, seconds=0.1)
    every_second = (next(written) if number % 2 else None for number in frames)
    assert measured_rate(every_second, 1, lambda: int(repr(written)[6:-1])) == pytest.approx(5, rel=0.1)


def test_a_given_batch_size_stays():
    assert real_time_batch(Brightness(), 8, 3) == 3
    assert real_time_batch(Brightness(), 8, None) == 4
