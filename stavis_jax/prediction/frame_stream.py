"""A film's frames and sound, as they come -> a prediction for every frame, in order. Memory: of a few clips."""

import collections
import contextlib
import itertools
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit

from data_pipelines.films.film import FilmFrame
from data_pipelines.films.sound import SAMPLE_RATE_HZ
from data_pipelines.inputs import windows
from data_pipelines.runtime.errors import UserError, out_of_memory_as_user_error
from stavis_jax.prediction.clip_streams import ClipStream, Predicted, clip_stream
from stavis_jax.prediction.frame_prediction import FramePrediction

FRAMES_BEFORE_TARGET = 7  # the target of frames 1 to 16 is frame 8
FRAMES_AFTER_TARGET = windows.CLIP_FRAMES - 1 - FRAMES_BEFORE_TARGET
LARGEST_STRIDE = 64  # frames: gaze has long gone elsewhere, and a batch holds all frames between
SAME_FRAME = 0.01  # frames; times this near to a whole number of frames are rounded times of a steady film
NO_END = 2**62  # samples
LONGEST_HELD = 60 * SAMPLE_RATE_HZ  # samples of a clip, 5 MB; clips of slide shows and of films with gaps last longer


def predict_stream(
    frames: Iterable[FilmFrame],
    waveform: Iterable[np.ndarray],
    frame_rate_hz: float,
    model: Any,
    *,
    waveform_ahead: Iterable[np.ndarray] | None = None,
    batch_size: int = 4,
    stride: int = 1,
) -> Iterator[FramePrediction]:
    """Predicts every frame of a film.

    The prediction of a frame is that of the clip from 7 frames before it to 8 after; the film's first and last frame
    are repeated where the clip reaches beyond the film. The clip's sound is that of its real frames, by their times,
    from half a frame before the first to half a frame after the last.

    Args:
      frames: the film's, in order.
      waveform: chunks of mono sound at 22,050 Hz, float32 in [-256, 256), sample 0 at the first frame; none is silence.
      frame_rate_hz: frames a second; of an uneven film the average.
      model: see `prediction.SaliencyModel`.
      waveform_ahead: the same chunks from a reader of its own; see `SoundBuffer`.
      batch_size: clips a call of the network; every call has the same shapes.
      stride: every how many frames the network is asked; predictions between are interpolated in time.

    Raises:
      ValueError: `frame_rate_hz`, `batch_size` or `stride` is not positive, or `stride` larger than 64.
      UserError: the model's maps are not finite.
    """
    if not frame_rate_hz > 0 or batch_size < 1 or stride < 1:
        raise ValueError(
            f"{frame_rate_hz} frames a second, batches of {batch_size}, stride {stride}: all must be positive"
        )
    if stride > LARGEST_STRIDE:
        raise ValueError(f"stride {stride}: must be at most {LARGEST_STRIDE}")
    timeline = _Timeline(frame_rate_hz)
    sound = SoundBuffer(waveform, waveform_ahead)
    targets = _predict_targets(frames, timeline, sound, clip_stream(model, batch_size, stride), batch_size, stride)
    return _every_frame(targets, timeline)


class SoundBuffer:
    """Excerpts of a waveform that comes in chunks, of which no more is kept than an excerpt can hold.

    `ahead`: the same chunks from a reader of its own. Where the middle of a long excerpt is depends on whether the
    sound ends within it; this reader goes there first, so that nothing before the middle need be kept. It is not asked
    for excerpts up to `LONGEST_HELD`; without it longer ones are held whole.
    """

    def __init__(self, chunks: Iterable[np.ndarray], ahead: Iterable[np.ndarray] | None = None):
        self._chunks, self._ahead = iter(chunks), None if ahead is None else iter(ahead)
        self._kept, self._begin = np.zeros(0, np.float32), 0
        self._num_ahead = 0  # samples that `ahead` has given

    def excerpt(self, begin: int, end: int) -> np.ndarray:
        """Of samples begin..end-1, as far as there are any, those that `clips.waveform` keeps; float32.

        Neither `begin` nor `end` may be less than before.
        """
        if end - begin > LONGEST_HELD and self._ahead is not None:
            begin, end = windows.kept_samples(begin, max(begin, min(end, self._seen_ahead(end))))
        read = self._read(begin, end)
        begin, end = windows.kept_samples(begin, max(begin, min(end, read)))
        self._forget(begin)
        return self._kept[: end - begin]

    def _read(self, begin: int, end: int) -> int:
        """Reads up to `end` and keeps what lies behind `begin`. Returns where reading stopped."""
        self._forget(begin)
        pieces, read = [self._kept], self._begin + len(self._kept)
        while read < end and (chunk := next(self._chunks, None)) is not None:
            read += len(chunk)
            if read > begin:
                pieces.append(chunk)
        if len(pieces) > 1:
            self._kept = np.concatenate(pieces)
        self._begin = read - len(self._kept)
        self._forget(begin)
        return read

    def _forget(self, begin: int) -> None:
        surplus = min(max(begin - self._begin, 0), len(self._kept))
        self._kept, self._begin = self._kept[surplus:], self._begin + surplus

    def _seen_ahead(self, end: int) -> int:
        """How many samples there are, looked for up to `end`, or one chunk further."""
        while self._num_ahead < end and (chunk := next(self._ahead, None)) is not None:
            self._num_ahead += len(chunk)
        return self._num_ahead


class _Timeline:
    """When the frames are, from the oldest that is still needed; frames are counted from 0."""

    def __init__(self, frame_rate_hz: float):
        self.frame_rate_hz = frame_rate_hz
        self.num_frames: int | None = None  # known at the film's end
        self._seconds: collections.deque[float] = collections.deque()
        self._oldest = 0

    def add(self, seconds: float) -> None:
        self._seconds.append(seconds)

    def seconds(self, frame: int) -> float:
        """Of a frame; of one behind the film's end, at its steady rate."""
        beyond = max(frame - (self._oldest + len(self._seconds) - 1), 0)
        return self._seconds[frame - beyond - self._oldest] + beyond / self.frame_rate_hz

    def forget(self, frame: int) -> None:
        """Lets go of the frames before this one."""
        while self._oldest < frame and len(self._seconds) > 1:
            self._seconds.popleft()
            self._oldest += 1

    def position(self, frame: int) -> float:
        """Number of the frame, from 1, at a steady rate; whole where the film is steady."""
        position = 1 + self.seconds(frame) * self.frame_rate_hz
        return round(position) if abs(position - round(position)) < SAME_FRAME else position


class _Target(NamedTuple):
    """What the network says of one frame, counted from 0."""

    frame: int
    saliency: np.ndarray
    localization: np.ndarray | None
    attention: tuple[np.ndarray, ...]


def _predict_targets(
    frames: Iterable[FilmFrame],
    timeline: _Timeline,
    sound: SoundBuffer,
    stream: ClipStream,
    batch_size: int,
    stride: int,
) -> Iterator[_Target]:
    """Every stride-th frame from the first on, until the last is reached or passed."""
    span = windows.CLIP_FRAMES + stream.lag
    lead = -span % stride  # so that a batch's last target is a multiple of the stride
    padded = _padded(frames, timeline, lead + FRAMES_BEFORE_TARGET)
    running = None  # one batch runs while the next is put together
    for fed in itertools.count(batch_size * stride, batch_size * stride):
        with _memory_for(batch_size):
            stream.feed(np.stack(list(itertools.islice(padded, batch_size * stride))))
        newest = fed - span - lead
        batch = range(newest - (batch_size - 1) * stride, newest + 1, stride)
        if newest < 0:
            continue
        waveforms = [_sound(timeline, sound, max(frame, 0)) for frame in batch]
        with _memory_for(batch_size):
            predicted = stream.predict(np.stack(waveforms))
        if running:
            yield from _targets(*running)
        running = batch, predicted
        last = timeline.num_frames
        if last is not None and newest >= last - 1:
            break
    yield from _targets(*running)


def _padded(frames: Iterable[FilmFrame], timeline: _Timeline, before: int) -> Iterator[np.ndarray]:
    """The film's pictures, the first one repeated `before` times before it, the last one without end after it."""
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


def _sound(timeline: _Timeline, sound: SoundBuffer, target: int) -> np.ndarray:
    """The sound of a target's clip, float32 [35280], windowed and centred."""
    last_frame = NO_END if timeline.num_frames is None else timeline.num_frames - 1
    first = min(max(target - FRAMES_BEFORE_TARGET, 0), last_frame)
    last = min(target + FRAMES_AFTER_TARGET, last_frame)
    begin, end = _limits(timeline, first)[0], _limits(timeline, last)[1]
    return windows.waveform(sound.excerpt(begin, end + 1))


def _limits(timeline: _Timeline, frame: int) -> tuple[int, int]:
    return windows.sound_limits(timeline.position(frame), timeline.frame_rate_hz, SAMPLE_RATE_HZ, NO_END)


def _targets(batch: range, predicted: Predicted) -> Iterator[_Target]:
    """One by one, those before the film's first frame left out."""
    with _memory_for(len(batch)):
        logits = np.asarray(predicted.logits, np.float32)
    if not np.isfinite(logits[[frame >= 0 for frame in batch]]).all():
        raise UserError("checkpoint: its maps hold values that are not numbers. Give another checkpoint.")
    located = None if predicted.localization is None else np.asarray(predicted.localization)
    attention = [np.asarray(maps) for maps in predicted.attention]
    for i, frame in enumerate(batch):
        if frame >= 0:
            one = None if located is None else located[i]
            yield _Target(frame, expit(logits[i]), one, tuple(maps[i] for maps in attention))


def _memory_for(num_clips: int) -> contextlib.AbstractContextManager[None]:
    return out_of_memory_as_user_error(f"a batch of {num_clips} clips", "Give a smaller --batch-size.")


def _every_frame(targets: Iterable[_Target], timeline: _Timeline) -> Iterator[FramePrediction]:
    """Predictions of all frames; those between two targets are weighted by how near they are in time."""
    previous = None
    for target in targets:
        first = target.frame if previous is None else previous.frame + 1
        for frame in range(first, target.frame + 1):
            if timeline.num_frames is not None and frame >= timeline.num_frames:
                return
            seconds = timeline.seconds(frame)
            if frame == target.frame:
                yield FramePrediction(frame + 1, seconds, *target[1:])
                continue
            begin, end = timeline.seconds(previous.frame), timeline.seconds(target.frame)
            share = (seconds - begin) / (end - begin)
            yield FramePrediction(frame + 1, seconds, *_between(previous, target, share))
        previous = target
        timeline.forget(target.frame - FRAMES_BEFORE_TARGET)


def _between(a: _Target, b: _Target, share: float) -> tuple:
    def mix(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return ((1 - share) * x + share * y).astype(np.float32)

    located = None if a.localization is None else mix(a.localization, b.localization)
    return mix(a.saliency, b.saliency), located, tuple(map(mix, a.attention, b.attention))
