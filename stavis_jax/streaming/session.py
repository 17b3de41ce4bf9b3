"""Runs live prediction: reads, predicts, serves and reports until the source ends or the time is over."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from data_pipelines.runtime.errors import UserError
from stavis_jax.outputs.options import OutputOptions
from stavis_jax.prediction.frame_stream import FRAMES_AFTER_TARGET
from stavis_jax.prediction.protocol import SaliencyModel
from stavis_jax.streaming.newest_frames import NewestFrames
from stavis_jax.streaming.overlay_server import serving
from stavis_jax.streaming.overlays import Overlays
from stavis_jax.streaming.predictor import LiveMap, Predictor
from stavis_jax.streaming.reader import Reader
from stavis_jax.streaming.source import LiveSource
from stavis_jax.streaming.speed import Speed

REPORT_SECONDS = 5.0
END_SECONDS = 5.0  # for a map that is being computed at the end

Say = Callable[[str], object]


@dataclass(frozen=True)
class LiveOptions:
    """How a source is shown.

    Attributes:
      port: of the page; 0 takes any free one.
      seconds: how long it is shown, from the first map on; None: until it ends.
      retries: how often in a row a source that broke off is opened again.
      lookahead: frames after a frame that its map waits for, 0 to 8.
      appearance: how overlays look.
    """

    port: int = 0
    seconds: float | None = None
    retries: int = 5
    lookahead: int = FRAMES_AFTER_TARGET
    appearance: OutputOptions = OutputOptions()


def show_live(
    source: LiveSource, model: SaliencyModel, options: LiveOptions, say: Say = print, warn: Say = print
) -> None:
    """Predicts the newest frame of a source again and again, and serves the overlays on loopback.

    Args:
      source: where frames come from.
      model: a network that sees the picture only.
      options: see `LiveOptions`.
      say: takes a line with the page's address, one about the speed every 5 seconds, and a summary at the end.
      warn: takes a line when the source breaks off and is opened again.

    Raises:
      UserError: the network needs sound, the port is not available, or the source cannot be read.
    """
    if model.uses_sound:
        raise UserError(
            "--checkpoint: this network needs sound, and live prediction sees the picture only. Add --variant visual, "
            "or leave --checkpoint out."
        )
    source.check()
    frames, overlays, recent, total = NewestFrames(), Overlays(options.appearance), Speed(), Speed()

    def publish(live_map: LiveMap) -> None:
        for speed in (recent, total):
            speed.add(live_map.frame.number, live_map.latency_seconds)
        overlays.publish(live_map)

    reader = Reader(source, frames, model.size, retries=options.retries, report=warn)
    predictor = Predictor(model, frames, publish, options.lookahead)
    with serving(overlays, options.port) as address, _running(reader, predictor, overlays, frames):
        reader.first_frame.wait()
        _raise_errors(reader)
        say(f"{source.shown_name}: the page is at {address}. It shows maps once the network is ready. Ctrl-C ends it.")
        predictor.start()
        predictor.ready.wait()
        _raise_errors(predictor)
        for speed in (recent, total):
            speed.restart(reader.num_frames)
        reader.play()
        try:
            for _ in _reports(predictor, options.seconds):
                _raise_errors(predictor, reader, overlays)
                say(f"{source.shown_name}: {recent.line(reader.num_frames)}")
                recent.restart(reader.num_frames)
            _raise_errors(predictor, reader, overlays)
        finally:
            say(f"{source.shown_name}: in all {total.line(reader.num_frames)}")


def _reports(predictor: Predictor, seconds: float | None) -> Iterator[None]:
    """Yields every 5 seconds until no map follows or the time is over."""
    began = time.monotonic()
    end = float("inf") if seconds is None else began + seconds
    for number in itertools.count(1):
        due = min(began + number * REPORT_SECONDS, end)
        if predictor.ended.wait(max(0.0, due - time.monotonic())) or due == end:
            return
        yield


@contextlib.contextmanager
def _running(reader: Reader, predictor: Predictor, overlays: Overlays, frames: NewestFrames) -> Iterator[None]:
    """Starts the reader and the overlays, and ends all threads."""
    reader.start()
    overlays.start()
    wait_seconds = 0.0  # after Ctrl-C; a thread that still waits for a device ends with the process
    try:
        yield
        wait_seconds = END_SECONDS
    except Exception:
        wait_seconds = END_SECONDS
        raise
    finally:
        frames.restart()
        frames.close()
        overlays.close()
        reader.stop(min(wait_seconds, 1.0))
        predictor.join(wait_seconds)


def _raise_errors(*parts: Reader | Predictor | Overlays) -> None:
    for part in parts:
        if part.error:
            raise part.error
