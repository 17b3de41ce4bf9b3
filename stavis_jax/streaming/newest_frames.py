"""Keeps the newest frames of a source that the network's clip needs, and nothing else."""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data_pipelines.inputs.windows import CLIP_FRAMES
from stavis_jax.prediction.frame_stream import FRAMES_AFTER_TARGET

SPACING_SECONDS = 1 / 25  # of a clip's frames, as in the films of the training data


@dataclass(frozen=True)
class LiveFrame:
    """A frame of a live source.

    Attributes:
      number: in the order of arrival, from 1; frames that were dropped count too.
      captured: when it was captured, in seconds of `time.monotonic`.
      picture: uint8 [H, W, 3], RGB, upright, for the overlay.
      small: uint8 [S, S, 3], as the network takes it.
    """

    number: int
    captured: float
    picture: np.ndarray
    small: np.ndarray


class NewestFrames:
    """The newest 16 frames at a spacing of 40 ms. One thread adds frames, another takes them.

    A frame that comes less than half a spacing after another replaces it. After a gap, the frame before it is repeated.
    A source begins with 16 times its first frame. So memory does not grow, whatever the source and the taker do.
    """

    def __init__(self) -> None:
        self._frames: deque[LiveFrame] = deque(maxlen=CLIP_FRAMES)
        self._slot_seconds = 0.0  # when the newest place of the grid was
        self._changed = threading.Condition()
        self._is_closed = False

    def restart(self) -> None:
        """Forgets the frames: those that follow come from another scene."""
        with self._changed:
            self._frames.clear()

    def add(self, frame: LiveFrame) -> None:
        with self._changed:
            if not self._frames:
                self._frames.extend([frame] * CLIP_FRAMES)
                self._slot_seconds = frame.captured
            else:
                steps = max(0, round((frame.captured - self._slot_seconds) / SPACING_SECONDS))
                self._slot_seconds += steps * SPACING_SECONDS
                if steps == 0:
                    self._frames.pop()
                self._frames.extend([self._frames[-1]] * min(steps - 1, CLIP_FRAMES))
                self._frames.append(frame)
            self._changed.notify_all()

    def close(self) -> None:
        """Says that no frame will follow."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def take(self, after: int, hold: int = 0) -> list[LiveFrame] | None:
        """Waits until the newest frame has a number larger than `after`, and returns the 16 newest frames, in order.

        If none comes in the time of `hold` further frames, the newest frame is repeated in their place, as in a film
        that shows it for so long. With `hold` 0, it waits. Returns None if no frame will come.
        """

        def is_new() -> bool:
            return bool(self._frames) and self._frames[-1].number > after

        with self._changed:
            seconds = (hold + 1) * SPACING_SECONDS if hold else None
            if not self._changed.wait_for(lambda: is_new() or self._is_closed, seconds) and self._frames:
                return [*list(self._frames)[hold:], *[self._frames[-1]] * hold]
            self._changed.wait_for(lambda: is_new() or self._is_closed)
            return list(self._frames) if is_new() else None


def clip_of(frames: Sequence[LiveFrame], lookahead: int) -> list[LiveFrame]:
    """Returns the clip of the newest possible target: 16 frames, of which the eighth is the target.

    The network predicts the eighth frame of a clip from the 7 frames before it and the 8 after it.

    Args:
      frames: the 16 newest frames, in order.
      lookahead: how many frames after the target are waited for, 0 to 8. The newest frame is repeated in place of the
        others, as at the end of a film.
    """
    repeated = FRAMES_AFTER_TARGET - lookahead
    return [*frames[repeated:], *[frames[-1]] * repeated]
