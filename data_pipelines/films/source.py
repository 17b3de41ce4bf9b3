"""Reads a film frame by frame, in memory that does not grow with its length."""

import logging
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import av
import numpy as np

from data_pipelines.films.sound import PcmSound, pcm_sound, waveform_chunks
from data_pipelines.inputs.resizing import ResizeFilter, ResizePicture
from data_pipelines.runtime.errors import UserError, reason

RESIZING_THREADS = min(8, os.cpu_count() or 1)  # for large films this takes longer than decoding

Item = TypeVar("Item")
Result = TypeVar("Result")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FilmFrame:
    """A frame as the network takes it.

    Attributes:
      picture: uint8 [S, S, 3], RGB, upright, resized as the training data are.
      seconds: time since the film's first frame, strictly rising.
    """

    picture: np.ndarray
    seconds: float


@dataclass(frozen=True)
class Picture:
    """A frame at its own size.

    Attributes:
      pixels: uint8 [H, W, 3], RGB, upright. In broadcasts and folders, H and W may change midway.
      seconds: time since the film's first frame, strictly rising, exact.
      duration_seconds: from the file; None if the file does not state it.
    """

    pixels: np.ndarray
    seconds: Fraction
    duration_seconds: Fraction | None


@dataclass(frozen=True)
class Shot:
    """A frame whose pixels are decoded on demand, in any thread: `pixels()` returns them. See `Picture`."""

    pixels: Callable[[], np.ndarray]
    seconds: Fraction
    duration_seconds: Fraction | None


@dataclass(frozen=True, kw_only=True)
class Film:
    """A film that `films.film.open_film` has opened. It can be read any number of times.

    Each call of `frames`, `pictures`, `waveform` and `pcm` opens decoders of its own, so they may run in different
    threads and at different places. All give frames and sound on one clock, and raise UserError if a file cannot be
    read.

    Attributes:
      path: as the user gave it.
      width: of the first picture, upright, in pixels.
      height: of the first picture, upright, in pixels.
      nominal_rate_hz: frames per second of the header, exact; 25 if the header has no likely rate.
      num_frames: of the header. It may be wrong, or None.
      sound_path: the file with the sound, which may be the film itself; None without sound.
      start_seconds: time of the first picture on the clock of the file `sound_path`.
      pixel_aspect: width over height of the pixels as a player shows them: not 1 in films of DVDs and broadcasts.
    """

    path: Path
    width: int
    height: int
    nominal_rate_hz: Fraction
    num_frames: int | None
    sound_path: Path | None = None
    start_seconds: Fraction = Fraction(0)
    pixel_aspect: Fraction = Fraction(1)

    @property
    def name(self) -> str:
        return film_name(self.path)

    @property
    def frame_rate_hz(self) -> float:
        return float(self.nominal_rate_hz)

    @property
    def has_sound(self) -> bool:
        return self.sound_path is not None

    def shots(self, warn: bool = False) -> Iterator[Shot]:
        """Yields every frame. `warn` logs the number of damaged packets that are left out."""
        raise NotImplementedError

    def frames(self, size: int, resize_filter: ResizeFilter = "bicubic", warn: bool = True) -> Iterator[FilmFrame]:
        """Yields every frame as size x size pixels.

        `resize_filter` is that of the step to 320x240. `warn` logs the number of damaged packets that are left out.
        """
        resize, shots = ResizePicture(size, resize_filter), self.shots(warn)
        frames = _mapped_ahead(lambda shot: FilmFrame(resize(shot.pixels()), float(shot.seconds)), shots)
        return _readable(self.path, frames)

    def pictures(self, warn: bool = False) -> Generator[Picture]:
        """Yields every frame at its own size. `warn` logs the number of damaged packets that are left out."""
        shots = self.shots(warn)
        pictures = (Picture(np.ascontiguousarray(shot.pixels()), shot.seconds, shot.duration_seconds) for shot in shots)
        return _readable(self.path, pictures)

    def waveform(self, warn: bool = True) -> Iterator[np.ndarray]:
        """Yields the sound as the network takes it: float32 [S], mono, 22,050 Hz, in [-256, 256).

        The first sample is heard with the first frame, the others by their timestamps. The sound may end before the
        last frame or after it. A film without sound gives no chunk. `warn` logs that, and the number of damaged packets
        that are left out.
        """
        chunk = None
        if self.sound_path:
            for chunk in _readable(self.sound_path, waveform_chunks(self.sound_path, self.start_seconds, warn)):
                yield chunk
        if warn and chunk is None:
            logger.warning("%s: no sound in this film; it is treated as silent.", self.path)

    def pcm(self, warn: bool = True) -> PcmSound | None:
        """Returns the sound at its own sample rate, at the same times as `waveform`, or None if there is none.

        `warn` logs the number of damaged packets that are left out.
        """
        if not self.sound_path:
            return None
        with _unreadable_as_user_error(self.sound_path):
            sound = pcm_sound(self.sound_path, self.start_seconds, warn)
        return sound and replace(sound, chunks=_readable(self.sound_path, sound.chunks))


def film_name(path: Path) -> str:
    """Returns the name of a film's outputs: the file's name without suffix, or the folder's name. Opens nothing."""
    if not path.is_dir():
        return path.stem
    return path.name if path.name not in ("", "..") else path.resolve().name


def _readable(path: Path, items: Iterable[Item]) -> Generator[Item]:
    """Yields the items of a decoder."""
    with _unreadable_as_user_error(path):
        yield from items


@contextmanager
def _unreadable_as_user_error(path: Path) -> Iterator[None]:
    """Turns an error of a decoder or a disk within the block into a UserError that names the file."""
    try:
        yield
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"{path}: cannot be read to its end ({reason(error)}). Give a file that plays.") from error


def _mapped_ahead(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yields function(item) for each item, in order, computed in threads a few items ahead."""
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(RESIZING_THREADS) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > RESIZING_THREADS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
