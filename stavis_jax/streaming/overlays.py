"""Draws the newest map over its frame as a JPEG, once for all who watch, and only while someone does."""

import contextlib
import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PIL import Image

from stavis_jax.outputs.options import OutputOptions
from stavis_jax.outputs.panes import PaneGrid
from stavis_jax.prediction.frame_prediction import FramePrediction
from stavis_jax.streaming.predictor import LiveMap

JPEG_QUALITY = 80  # of 100


@dataclass(frozen=True)
class Overlay:
    """A drawn map. `serial`: its place in the order of maps, from 1."""

    serial: int
    frame_number: int
    jpeg: bytes


class Overlays:
    """The newest overlay. One thread draws; any number of others wait for what it draws and skip what they missed.

    Attributes:
      error: what ended the thread, or None.
    """

    def __init__(self, options: OutputOptions, draw: Callable[[LiveMap, OutputOptions], bytes] | None = None):
        """`draw` returns the JPEG of a map; by default `draw_jpeg`."""
        self.error: BaseException | None = None
        self._options, self._draw = options, draw or draw_jpeg
        self._changed = threading.Condition()
        self._newest_map: LiveMap | None = None
        self._num_maps = self._num_watching = 0
        self._overlay: Overlay | None = None
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="live overlays", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def publish(self, live_map: LiveMap) -> None:
        """Takes a map in place of the one before, whether that was drawn or not."""
        with self._changed:
            self._newest_map = live_map
            self._num_maps += 1
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Maps are drawn while at least one thread is in this block."""
        with self._changed:
            self._num_watching += 1
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._num_watching -= 1

    def next(self, after: int, timeout_seconds: float) -> Overlay | None:
        """Waits for an overlay with a serial larger than `after` and returns the newest; None after the timeout."""

        def is_new() -> bool:
            return self._overlay is not None and self._overlay.serial > after

        with self._changed:
            self._changed.wait_for(lambda: is_new() or self._is_closed, timeout_seconds)
            return self._overlay if is_new() else None

    @property
    def num_maps(self) -> int:
        """Number of maps so far: the serial of the newest one."""
        return self._num_maps

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    def _run(self) -> None:
        try:
            self._draw_again_and_again()
        except BaseException as error:  # the main thread raises it
            self.error = error
            self.close()

    def _draw_again_and_again(self) -> None:
        drawn = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed or (self._num_watching and self._num_maps > drawn))  # noqa: B023
                if self._is_closed:
                    return
                newest, drawn = self._newest_map, self._num_maps
            assert newest, "a map was published"
            overlay = Overlay(drawn, newest.frame.number, self._draw(newest, self._options))
            with self._changed:
                self._overlay = overlay
                self._changed.notify_all()


def draw_jpeg(live_map: LiveMap, options: OutputOptions) -> bytes:
    picture = live_map.frame.picture
    grid = PaneGrid((picture.shape[1], picture.shape[0]), options, even_size=False)
    prediction = FramePrediction(live_map.frame.number, live_map.frame.captured, live_map.saliency)
    drawn, file = Image.fromarray(grid.draw(picture, prediction)), io.BytesIO()
    drawn.save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()
