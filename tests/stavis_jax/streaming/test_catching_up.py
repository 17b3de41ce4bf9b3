"""Catching up: what is decoded of a source that comes faster than it can be decoded."""

from fractions import Fraction

import av
import pytest

from stavis_jax.streaming.catching_up import CatchingUp
from stavis_jax.streaming.source_clock import SourceClock


class Video:
    """Counts how often the decoder is emptied."""

    def __init__(self) -> None:
        self.codec_context, self.num_flushed = self, 0

    def flush_buffers(self) -> None:
        self.num_flushed += 1


def packet(seconds: float | None, is_key: bool = False) -> av.Packet:
    made = av.Packet(b"data")
    made.is_keyframe = is_key
    if seconds is not None:
        made.pts, made.time_base = round(seconds * 1000), Fraction(1, 1000)
    return made


@pytest.fixture
def behind():
    """Returns the decoder and its state after a frame of second 0 was decoded at second 3, and began at second 0."""
    video, clock = Video(), SourceClock()
    catching_up = CatchingUp(video, clock)
    clock.captured(0.0, now=0.0)
    catching_up.decoded(captured=clock.captured(0.04, now=3.0), now=3.0)
    return video, catching_up


def test_all_packets_are_decoded_while_frames_are_in_time():
    catching_up = CatchingUp(Video(), SourceClock())
    catching_up.decoded(captured=5.0, now=6.9)
    assert not catching_up.skips(packet(5.04), now=7.0)


def test_packets_are_left_out_up_to_a_key_frame_that_is_not_late(behind):
    video, catching_up = behind
    for seconds, is_key, is_left_out in (
        (0.1, False, True),
        (0.2, True, True),
        (2.9, False, True),
        (2.95, True, False),
    ):
        assert catching_up.skips(packet(seconds, is_key), now=3.1) == is_left_out
    assert video.num_flushed == 1
    assert not catching_up.skips(packet(3.0), now=3.1)


def test_pictures_go_on_if_every_key_frame_is_late_or_has_no_time(behind):
    video, catching_up = behind
    assert catching_up.skips(packet(0.5, is_key=True), now=3.5)
    assert not catching_up.skips(packet(1.6, is_key=True), now=4.6)
    catching_up.decoded(captured=1.6, now=4.6)
    assert not catching_up.skips(packet(None, is_key=True), now=4.7)
    assert video.num_flushed == 1, "nothing was left out before the last packet"


def test_a_camera_that_sends_no_key_frames_is_shown_again_after_a_while(behind):
    _, catching_up = behind
    assert catching_up.skips(packet(3.0), now=3.1)
    assert catching_up.skips(packet(14.0), now=14.1)
    assert not catching_up.skips(packet(16.0), now=16.1)
    assert not catching_up.skips(packet(16.04), now=16.14)
