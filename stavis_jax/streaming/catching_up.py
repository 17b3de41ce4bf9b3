"""Leaves out packets of a live source that comes faster than it can be decoded."""

import av

from stavis_jax.streaming.source_clock import SourceClock

BEHIND_SECONDS = 2.0  # a frame that is later than this shows that decoding is too slow
CAUGHT_UP_SECONDS = 0.5  # decoding begins again at a key frame that is not later than this
LATE_KEY_SECONDS = 1.0  # or at any key frame after this time: then the way of the packets is slow, not decoding
LONGEST_SECONDS = 12.0  # or anywhere after this time: some cameras send no key frames after the first


class CatchingUp:
    """Decides which packets are decoded. Other frames depend on key frames, so it leaves out all up to a key frame."""

    def __init__(self, video: av.VideoStream, clock: SourceClock):
        """`clock` places the timestamps of the stream `video` on this machine's clock."""
        self._video, self._clock = video, clock
        self._behind_since: float | None = None
        self._has_skipped = False

    def decoded(self, captured: float, now: float) -> None:
        """Takes note of a frame that was captured and is decoded now, both in seconds of `time.monotonic`."""
        self._behind_since = now if now - captured > BEHIND_SECONDS else None

    def skips(self, packet: av.Packet, now: float) -> bool:
        """Returns whether to leave out a packet of the stream."""
        if self._behind_since is None or not packet.size:
            return False
        if self._is_over(packet, now):
            if self._has_skipped:
                self._video.codec_context.flush_buffers()
            self._behind_since, self._has_skipped = None, False
            return False
        self._has_skipped = True
        return True

    def _is_over(self, packet: av.Packet, now: float) -> bool:
        assert self._behind_since is not None
        passed = now - self._behind_since
        if not packet.is_keyframe:
            return passed > LONGEST_SECONDS
        if packet.pts is None or packet.time_base is None or passed > LATE_KEY_SECONDS:
            return True
        return self._clock.delay(float(packet.pts * packet.time_base), now) <= CAUGHT_UP_SECONDS
