"""Predicting the newest clip: a slow source's frames get their maps without the next frame."""

import threading

import pytest
from live_streams import Marks, marked_pictures

from stavis_jax.streaming.newest_frames import LiveFrame, NewestFrames
from stavis_jax.streaming.predictor import Predictor

WAIT_SECONDS = 60


@pytest.mark.parametrize("lookahead", [0, 3, 8])
def test_each_frame_of_a_slow_source_gets_a_map_before_the_next_one_comes(lookahead):
    frames, mapped = NewestFrames(), {number: threading.Event() for number in (1, 2, 3)}
    numbers = []

    def publish(live_map):
        numbers.append(live_map.frame.number)
        mapped[live_map.frame.number].set()

    model = Marks()
    predictor = Predictor(model, frames, publish, lookahead)
    predictor.start()
    for number, picture in enumerate(marked_pictures(3, 16, 16), start=1):
        frames.add(LiveFrame(number, float(number), picture, picture))
        assert mapped[number].wait(WAIT_SECONDS), f"frame {number} has a map, and the next one has not come"
    assert model.clips[-1] == [1] * 7 + [2] * 9
    frames.close()
    predictor.join(WAIT_SECONDS)
    assert predictor.error is None and numbers == [1, 2, 3], "no frame is mapped again after the gap"
