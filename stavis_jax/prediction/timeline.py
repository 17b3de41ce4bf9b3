"""The times of a film's frames, and the sound samples that belong to them."""

import collections

from data_pipelines.films.sound import SAMPLE_RATE_HZ
from data_pipelines.inputs import windows

SAME_FRAME = 0.01  # frames; times this close to a whole number of frames are rounded times of a steady film
NO_END = 2**62  # samples or frames


class Timeline:
    """Times of the frames, which are counted from 0. Old frames can be forgotten.

    Attributes:
      frame_rate_hz: frames a second; the average of an uneven film.
      num_frames: known once the film has ended.
    """

    def __init__(self, frame_rate_hz: float):
        self.frame_rate_hz = frame_rate_hz
        self.num_frames: int | None = None
        self._seconds: collections.deque[float] = collections.deque()
        self._oldest = 0

    @property
    def last_frame(self) -> int:
        """The film's last frame, or a very large number while it is not known."""
        return NO_END if self.num_frames is None else self.num_frames - 1

    def add(self, seconds: float) -> None:
        """Adds the next frame."""
        self._seconds.append(seconds)

    def forget(self, frame: int) -> None:
        """Forgets the times of the frames before this one."""
        while self._oldest < frame and len(self._seconds) > 1:
            self._seconds.popleft()
            self._oldest += 1

    def seconds(self, frame: int) -> float:
        """Returns the time of a frame. Frames after the newest one follow at the frame rate."""
        beyond = max(frame - (self._oldest + len(self._seconds) - 1), 0)
        return self._seconds[frame - beyond - self._oldest] + beyond / self.frame_rate_hz

    def sound_limits(self, first: int, last: int) -> tuple[int, int]:
        """Returns the first sample of frame `first` and the last sample of frame `last`."""
        return self._samples(first)[0], self._samples(last)[1]

    def _samples(self, frame: int) -> tuple[int, int]:
        position = 1 + self.seconds(frame) * self.frame_rate_hz  # frame number at a steady rate, from 1
        if abs(position - round(position)) < SAME_FRAME:
            position = round(position)
        return windows.sound_limits(position, self.frame_rate_hz, SAMPLE_RATE_HZ, NO_END)
