"""Reads a live source in a thread of its own, so that nothing waits in a queue while the network computes."""

import contextlib
import threading
import time
from collections.abc import Callable

import av
import numpy as np
from PIL import Image

from data_pipelines.films.decoding import seconds_of, upright_picture
from data_pipelines.inputs.resizing import ResizePicture
from data_pipelines.runtime.errors import UserError, one_line
from stavis_jax.streaming.catching_up import CatchingUp
from stavis_jax.streaming.newest_frames import LiveFrame, NewestFrames
from stavis_jax.streaming.source import BrokenSource, LiveSource, OpenSource
from stavis_jax.streaming.source_clock import SourceClock

LARGEST_PICTURE = (1280, 720)  # width and height of the overlay in pixels
LATE_SECONDS = 0.5  # frames that arrive later are only decoded, so that reading catches up
LATE_SPACING_SECONDS = 0.25  # but for one in this time
LONGEST_WAIT_SECONDS = 8.0  # before a source is opened again


class Reader:
    """Reads a source from `start` on until it ends or `stop` is called.

    Attributes:
      first_frame: set when the first frame has been decoded.
      num_frames: number of frames that have been decoded.
      error: why reading ended, None if the source has ended by itself.
    """

    def __init__(
        self,
        source: LiveSource,
        frames: NewestFrames,
        size: int,
        *,
        retries: int = 0,
        report: Callable[[str], object] = print,
    ):
        """Sets up the thread.

        Args:
          source: where frames come from.
          frames: where they go; closed at the end.
          size: height and width of the network's frames in pixels.
          retries: how often in a row a source that broke off is opened again, after 1, 2, 4, 8, 8, ... seconds.
          report: takes a line about each of these tries.
        """
        self.first_frame, self.num_frames = threading.Event(), 0
        self.error: BaseException | None = None
        self._source, self._frames, self._retries, self._report = source, frames, retries, report
        self._resize = ResizePicture(size)
        self._stopped, self._playing = threading.Event(), threading.Event()
        self._last_added = self._last_decoded = 0.0
        self._thread = threading.Thread(target=self._run, name="live reader", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def play(self) -> None:
        """Lets a recording go on after its first frame. Live sources do not wait for it."""
        self._playing.set()

    def stop(self, timeout_seconds: float = 1.0) -> None:
        """Ends the thread. Does not wait for a thread that its source blocks."""
        self._stopped.set()
        self._playing.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        try:
            self._read_again_and_again()
        except UserError as error:
            self.error = UserError(_named(self._source, error))
        except BaseException as error:  # the main thread raises it
            self.error = error
        finally:
            self._frames.close()
            self.first_frame.set()

    def _read_again_and_again(self) -> None:
        failed = 0
        while not self._stopped.is_set():
            known = self.num_frames
            try:
                if self._read():
                    return self._check_moved()
                broken = "it has ended"
            except BrokenSource as error:
                broken = str(error)
            failed = 1 if self.num_frames > known else failed + 1
            if self._stopped.is_set():
                return
            if broken == "it has ended" and not self._retries:
                return self._check_moved()
            if not self.num_frames:
                raise UserError(f"cannot be read ({broken}). Give a camera, a stream or a film that plays.")
            if self._source.is_file:
                raise UserError(f"cannot be read to its end ({broken}). Give a film that plays.")
            if failed > self._retries:
                after = f" after {failed - 1} further tries" if failed > 1 else ""
                raise UserError(f"broke off{after} ({broken}). Start it again, or give more --retries.")
            wait = min(2.0 ** (failed - 1), LONGEST_WAIT_SECONDS)
            text = f"broke off ({broken}). Trying again in {wait:g} s, {failed} of {self._retries}."
            self._report(one_line(_named(self._source, text)))
            self._stopped.wait(wait)

    def _check_moved(self) -> None:
        """Raises UserError if the source has ended, and held no more than a picture."""
        if self.num_frames < 2 and not self._stopped.is_set():
            held = "a single picture" if self.num_frames else "no picture that can be decoded"
            raise UserError(f"holds {held}. Give a camera, a stream or a film that plays.")

    def _read(self) -> bool:
        """Reads the source until it ends. Returns whether it was a recording, which has then been played."""
        with self._source.open() as opened:
            self._frames.restart()
            self._last_added, self._last_decoded = -LATE_SPACING_SECONDS, time.monotonic()
            clock = SourceClock(opened.is_recording)
            catching_up = CatchingUp(opened.video, clock)
            for packet in self._source.packets(opened):
                is_skipped = packet.stream_index == opened.video.index and catching_up.skips(packet, time.monotonic())
                if is_skipped:
                    self.num_frames += 1
                    self._last_decoded = time.monotonic()  # the next key frame may be far
                for frame in () if is_skipped else opened.decoded(packet):
                    self.num_frames += 1
                    self.first_frame.set()
                    if opened.is_recording:
                        self._playing.wait()
                    self._last_decoded = now = time.monotonic()
                    seconds = seconds_of(frame)
                    captured = clock.captured(None if seconds is None else float(seconds), now)
                    if not opened.is_recording:
                        catching_up.decoded(captured, now)
                    self._add(frame, captured, now)
                if self._stopped.is_set():
                    break
                self._check_decoded(opened)
            return opened.is_recording

    def _check_decoded(self, opened: OpenSource) -> None:
        if not opened.is_recording and time.monotonic() > self._last_decoded + self._source.timeout_seconds:
            raise BrokenSource(f"no picture could be decoded for {self._source.timeout_seconds:g} s")

    def _add(self, frame: av.VideoFrame, captured: float, now: float) -> None:
        if captured > now:
            self._stopped.wait(captured - now)  # a recording's frame is not yet due
        elif now - captured > LATE_SECONDS and now - self._last_added < LATE_SPACING_SECONDS:
            return
        self._last_added = now
        with contextlib.suppress(av.FFmpegError):  # it cannot be converted
            picture = upright_picture(frame)
            self._frames.add(LiveFrame(self.num_frames, captured, _shown(picture), self._resize(picture)))


def _shown(picture: np.ndarray) -> np.ndarray:
    """Returns the picture, uint8 [h, w, 3], reduced to what the page shows."""
    shown = Image.fromarray(picture)
    shown.thumbnail(LARGEST_PICTURE, Image.Resampling.BILINEAR)
    return np.asarray(shown)


def _named(source: LiveSource, text: object) -> str:
    said = str(text)
    return said if said.startswith((source.name, "--")) else f"{source.shown_name}: {said}"
