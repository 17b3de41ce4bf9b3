"""Places the timestamps of a source on this machine's clock."""

JUMP_SECONDS = 10.0  # timestamps that go back, or are off by more, begin a new count
BEHIND_SECONDS = 2.0  # a recording that is decoded too slowly falls behind by no more; it plays slower then
DRIFT = 1e-4  # clocks of cameras and computers differ by up to 50 millionths


class SourceClock:
    """Estimates when each frame was captured, in seconds of `time.monotonic`.

    A live frame cannot arrive before it is captured. So the frame that took the shortest way, of all frames so far,
    shows how the source's clock relates to this one, and other frames arrive later by what they waited on their way. A
    recording begins when its first frame is read; later frames are due at their times.
    """

    def __init__(self, is_recording: bool = False):
        self._is_recording = is_recording
        self._offset = self._last_seconds = self._last_now = 0.0
        self._started = False

    def delay(self, seconds: float, now: float) -> float:
        """Returns how long before `now`, by the frames so far, the timestamp `seconds` of a live source was."""
        return now - seconds - self._offset

    def captured(self, seconds: float | None, now: float) -> float:
        """Returns when the frame was captured. It lies in the future for frames of a recording that are not yet due.

        Args:
          seconds: timestamp of the frame, on the source's clock; None if it has none.
          now: when it arrived.
        """
        if seconds is None:
            return now
        elapsed, passed = now - self._last_now, seconds - self._last_seconds
        ahead = passed if self._is_recording else abs(passed - elapsed)
        if not self._started or passed < 0 or ahead > JUMP_SECONDS:
            self._offset, self._started = now - seconds, True
        elif self._is_recording:
            self._offset = max(self._offset, now - BEHIND_SECONDS - seconds)
        else:
            self._offset = min(self._offset + DRIFT * elapsed, now - seconds)
        self._last_seconds, self._last_now = seconds, now
        return seconds + self._offset
