"""Predictions of all frames of a film, from its frames and sound as they are read. Memory holds only a few clips."""

import contextlib
import itertools
from collections.abc import Iterable, Iterator

import jax
import numpy as np

from data_pipelines.films.film import FilmFrame
from data_pipelines.inputs import windows
from data_pipelines.runtime.errors import UserError, out_of_memory_as_user_error
from data_pipelines.runtime.freed_memory import give_back_freed_memory
from stavis_jax.prediction.clip_streams import clip_stream
from stavis_jax.prediction.frame_prediction import FramePrediction
from stavis_jax.prediction.memory_use import OF_LIBRARY
from stavis_jax.prediction.model import CPU_BATCH, StavisModel
from stavis_jax.prediction.programs import ClipPredictions
from stavis_jax.prediction.protocol import SaliencyModel
from stavis_jax.prediction.sound_buffer import SoundBuffer
from stavis_jax.prediction.timeline import Timeline

FRAMES_BEFORE_TARGET = 7  # the target of frames 1 to 16 is frame 8
FRAMES_AFTER_TARGET = windows.CLIP_FRAMES - 1 - FRAMES_BEFORE_TARGET
LARGEST_STRIDE = 64  # frames; people look elsewhere after more, and a batch holds all frames in between


def predict_stream(
    frames: Iterable[FilmFrame],
    waveform: Iterable[np.ndarray],
    frame_rate_hz: float,
    model: SaliencyModel,
    *,
    waveform_ahead: Iterable[np.ndarray] | None = None,
    batch_size: int | None = None,
    stride: int = 1,
) -> Iterator[FramePrediction]:
    """Predicts every frame of a film.

    A frame is predicted from the clip of the 7 frames before it to the 8 frames after it. Beyond the film's ends, its
    first and last frame are repeated. The sound of a clip is that of its real frames, by their times: from half a frame
    before the first one to half a frame after the last one.

    Args:
      frames: the film's frames, in order.
      waveform: mono sound in chunks, at 22,050 Hz, float32 in [-256, 256), from the first frame on; empty for silence.
      frame_rate_hz: frames a second; the average of an uneven film.
      model: predicts clips.
      waveform_ahead: the same chunks from a second reader; see `SoundBuffer`.
      batch_size: clips per call of the model, by default what suits it; all calls have the same shapes.
      stride: frames from one call's clip to the next; predictions in between are interpolated in time.

    Raises:
      ValueError: `frame_rate_hz`, `batch_size` or `stride` is not positive, or `stride` is larger than 64.
      UserError: the model's maps are not finite, or a batch does not fit into memory.
    """
    batch_size = usual_batch_size(model) if batch_size is None else batch_size
    if not frame_rate_hz > 0 or batch_size < 1 or stride < 1:
        raise ValueError(
            f"{frame_rate_hz} frames a second, batches of {batch_size}, stride {stride}: all must be positive"
        )
    if stride > LARGEST_STRIDE:
        raise ValueError(f"stride {stride}: must be at most {LARGEST_STRIDE}")
    timeline, sound = Timeline(frame_rate_hz), SoundBuffer(waveform, waveform_ahead)
    return _interpolated(_predict_targets(frames, timeline, sound, model, batch_size, stride), timeline)


def usual_batch_size(model: SaliencyModel) -> int:
    """Returns how many clips to predict at a time, if nobody asks for another number."""
    return model.batch_size if isinstance(model, StavisModel) else CPU_BATCH


def _predict_targets(
    frames: Iterable[FilmFrame],
    timeline: Timeline,
    sound: SoundBuffer,
    model: SaliencyModel,
    batch_size: int,
    stride: int,
) -> Iterator[FramePrediction]:
    """Predicts frames 0, stride, 2 stride, ... until the film's last frame is reached or passed."""
    with _memory_for(batch_size):
        stream = clip_stream(model, batch_size, stride)
    span = windows.CLIP_FRAMES + stream.lag
    lead = -span % stride  # makes the last target of a batch a multiple of the stride
    padded = _padded(frames, timeline, lead + FRAMES_BEFORE_TARGET)
    memory = model.memory_use if isinstance(model, StavisModel) else OF_LIBRARY
    # A batch that the device computes while the next one is prepared.
    running: tuple[range, ClipPredictions] | None = None
    for number, num_fed in enumerate(itertools.count(batch_size * stride, batch_size * stride)):
        with _memory_for(batch_size):
            stream.feed(np.stack(list(itertools.islice(padded, batch_size * stride))))
        newest = num_fed - span - lead
        if newest < 0:
            continue
        batch = range(newest - (batch_size - 1) * stride, newest + 1, stride)
        waveforms = np.empty((batch_size, windows.WAVEFORM_SAMPLES), np.float32)
        for frame, waveform in zip(batch, waveforms, strict=True):
            _write_waveform(timeline, sound, max(frame, 0), waveform)
        with _memory_for(batch_size):
            predictions = stream.predict(waveforms, _wanted(batch, timeline))
            _start_fetching(predictions)
        if running:
            yield from _targets(*running, timeline)
        is_last = newest >= timeline.last_frame
        if is_last or memory.clips_in_flight == 1:
            yield from _targets(batch, predictions, timeline)
        running = None if memory.clips_in_flight == 1 else (batch, predictions)
        if memory.batches_between_trims and (is_last or number % memory.batches_between_trims == 0):
            give_back_freed_memory()
        if is_last:
            return


def _wanted(batch: range, timeline: Timeline) -> range:
    """Returns the numbers of the clips in a batch from the film's first frame to the first target at or after its end.

    With a stride, frames are interpolated up to that target.
    """
    first = sum(frame < 0 for frame in batch)
    after_last = sum(frame < timeline.last_frame for frame in batch) + 1
    return range(first, min(after_last, len(batch)))


def _padded(frames: Iterable[FilmFrame], timeline: Timeline, before: int) -> Iterator[np.ndarray]:
    """Yields the first picture `before` times, then all pictures, then the last one without end. Fills the timeline."""
    picture, count = None, 0
    for count, frame in enumerate(frames, start=1):
        picture = frame.picture
        if count == 1:
            yield from itertools.repeat(picture, before)
        timeline.add(frame.seconds)
        yield picture
    if picture is None:
        raise ValueError("0 frames: their number must be positive")
    timeline.num_frames = count
    yield from itertools.repeat(picture)


def _write_waveform(timeline: Timeline, sound: SoundBuffer, target: int, out: np.ndarray) -> None:
    """Writes the waveform of a target frame's clip to `out`, float32 [35280], under a Hann window and between zeros."""
    first = min(max(target - FRAMES_BEFORE_TARGET, 0), timeline.last_frame)
    last = min(target + FRAMES_AFTER_TARGET, timeline.last_frame)
    begin, end = timeline.sound_limits(first, last)
    windows.waveform(sound.excerpt(begin, end + 1), out)


def _start_fetching(predictions: ClipPredictions) -> None:
    """Lets the device send the arrays as soon as they are computed. Otherwise each is asked for when it is used."""
    for array in jax.tree.leaves(predictions):
        array.copy_to_host_async()


def _targets(batch: range, predictions: ClipPredictions, timeline: Timeline) -> Iterator[FramePrediction]:
    """Waits for a batch and yields its targets, except those before the film's first frame."""
    with _memory_for(len(batch)):
        saliency = np.asarray(predictions.saliency)
    num_before = sum(frame < 0 for frame in batch)
    if not np.isfinite(saliency[num_before:]).all():
        raise UserError("checkpoint: its maps hold values that are not numbers. Give another checkpoint.")
    localization = None if predictions.localization is None else np.asarray(predictions.localization)
    attention = [np.asarray(stage) for stage in predictions.attention]
    for i, frame in list(enumerate(batch))[num_before:]:
        located = None if localization is None else localization[i]
        maps = tuple(stage[i] for stage in attention)
        yield FramePrediction(frame + 1, timeline.seconds(frame), saliency[i].copy(), located, maps)


def _memory_for(num_clips: int) -> contextlib.AbstractContextManager[None]:
    return out_of_memory_as_user_error(f"a batch of {num_clips} clips", "Give a smaller --batch-size.")


def _interpolated(targets: Iterable[FramePrediction], timeline: Timeline) -> Iterator[FramePrediction]:
    """Yields predictions of all frames. Those between two targets are weighted by their distance in time."""
    previous = None
    for target in targets:
        last_number = timeline.last_frame + 1
        if previous is not None:
            for number in range(previous.number + 1, min(target.number, last_number + 1)):
                yield _between(previous, target, number, timeline.seconds(number - 1))
        if target.number <= last_number:
            yield target
        previous = target
        timeline.forget(target.number - 1 - FRAMES_BEFORE_TARGET)


def _between(a: FramePrediction, b: FramePrediction, number: int, seconds: float) -> FramePrediction:
    """Interpolates linearly in time."""
    share = (seconds - a.seconds) / (b.seconds - a.seconds)

    def mix(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return ((1 - share) * x + share * y).astype(np.float32)

    located = a.localization, b.localization
    localization = None if located[0] is None or located[1] is None else mix(located[0], located[1])
    attention = tuple(map(mix, a.attention, b.attention))
    return FramePrediction(number, seconds, mix(a.saliency, b.saliency), localization, attention)
