"""The frames that a clip is made of: always the newest, evenly spaced, and never more than 16."""

import threading

import numpy as np
import pytest

from data_pipelines.inputs.windows import CLIP_FRAMES
from stavis_jax.streaming.newest_frames import LiveFrame, NewestFrames, clip_of


def frame(number: int, captured: float) -> LiveFrame:
    pixels = np.full((2, 2, 3), number % 256, np.uint8)
    return LiveFrame(number, captured, pixels, pixels)


def numbers_after(rate_hz: float, count: int, jitter_seconds: float = 0.0) -> list[int]:
    """Returns the numbers of the newest frames of a source after `count` frames."""
    frames, random = NewestFrames(), np.random.default_rng(0)
    for number in range(1, count + 1):
        frames.add(frame(number, 100 + number / rate_hz + random.uniform(-1, 1) * jitter_seconds))
    return [one.number for one in frames.take(after=0)]


def test_a_source_of_25_hz_gives_its_16_newest_frames():
    assert numbers_after(25, 100) == list(range(85, 101))
    assert numbers_after(25, 100, jitter_seconds=0.008) == list(range(85, 101))


@pytest.mark.parametrize("rate_hz", [24, 29.97, 30, 50, 60, 120])
def test_other_rates_are_sampled_25_times_a_second_and_end_with_the_newest_frame(rate_hz):
    numbers = numbers_after(rate_hz, 300)
    assert len(numbers) == CLIP_FRAMES and numbers[-1] == 300 and numbers == sorted(numbers)
    assert (numbers[-2] - numbers[0]) / rate_hz == pytest.approx(14 / 25, abs=1 / rate_hz)


def test_a_slow_source_repeats_its_frames():
    assert numbers_after(12.5, 50) == [42] + [number for number in range(43, 50) for _ in range(2)] + [50]
    assert numbers_after(5, 20) == [17] * 5 + [18] * 5 + [19] * 5 + [20]


def test_a_source_begins_with_its_first_frame_alone():
    assert numbers_after(25, 1) == [1] * CLIP_FRAMES
    assert numbers_after(25, 3) == [1] * 14 + [2, 3]


def test_a_long_gap_leaves_the_frame_before_it_and_the_newest():
    frames = NewestFrames()
    for number, captured in ((1, 0.0), (2, 0.04), (3, 3600.0)):
        frames.add(frame(number, captured))
    assert [one.number for one in frames.take(after=0)] == [2] * 15 + [3]


def test_after_a_restart_no_frame_of_before_is_left():
    frames = NewestFrames()
    frames.add(frame(1, 0.0))
    frames.restart()
    frames.add(frame(2, 0.04))
    assert [one.number for one in frames.take(after=1)] == [2] * CLIP_FRAMES


def test_taking_waits_for_a_newer_frame_and_ends_when_none_will_come():
    frames, taken = NewestFrames(), []
    frames.add(frame(1, 0.0))
    thread = threading.Thread(target=lambda: taken.extend([frames.take(after=1), frames.take(after=2)]))
    thread.start()
    frames.add(frame(2, 0.04))
    frames.close()
    thread.join(60)
    assert [one.number for one in taken[0]][-1] == 2
    assert taken[1] is None


@pytest.mark.parametrize(
    ("lookahead", "target", "clip"),
    [
        (8, 8, list(range(1, 17))),
        (3, 13, [*range(6, 17), *[16] * 5]),
        (0, 16, [*range(9, 17), *[16] * 8]),
    ],
)
def test_the_target_is_the_eighth_of_its_clip_and_the_newest_frame_stands_for_later_ones(lookahead, target, clip):
    found = clip_of([frame(number, number / 25) for number in range(1, 17)], lookahead)
    assert [one.number for one in found] == clip
    assert found[7].number == target
