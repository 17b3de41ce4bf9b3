"""A film frame by frame, from a film file or a folder of pictures, in memory that does not grow with its length."""

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import av
import numpy as np

from data_pipelines.films.decoding import is_moving_picture
from data_pipelines.films.encoded_film import open_encoded_film
from data_pipelines.films.frame_folder import open_frame_folder, sound_in
from data_pipelines.films.sound import PcmSound, open_sound, pcm_sound, sound_start, waveform_chunks
from data_pipelines.films.source import FilmSource
from data_pipelines.inputs.resizing import ResizeFilter, ResizePicture
from data_pipelines.runtime.errors import UserError, reason

RESIZING_THREADS = min(8, os.cpu_count() or 1)  # for large films this takes longer than decoding

Item = TypeVar("Item")
Result = TypeVar("Result")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FilmFrame:
    """A frame as the network takes it.

    picture: uint8 [S, S, 3], RGB, upright, resized as the training data are.
    seconds: since the film's first frame; strictly rising.
    """

    picture: np.ndarray
    seconds: float


@dataclass(frozen=True)
class Picture:
    """A frame at its own size.

    pixels: uint8 [H, W, 3], RGB, upright. Broadcasts and folders may change H and W midway.
    seconds: since the film's first frame; strictly rising, exact.
    duration_seconds: as the file has it; None if it does not tell.
    """

    pixels: np.ndarray
    seconds: Fraction
    duration_seconds: Fraction | None


@dataclass(frozen=True)
class Film:
    """A film to be gone through any number of times; see `open_film`.

    Every call of `frames`, `pictures` and `waveform` opens decoders of its own: they may run in different threads, at
    different places. `frames` and `pictures` give the same frames at the same times. All raise `UserError` if a file
    is gone by then, or cannot be read.

    Attributes:
      path: what the user gave.
      name: see `film_name`.
      width, height: pixels, upright, of the first picture.
      frame_rate_hz: nominal, of the header; 25 if that tells nothing likely.
      num_frames: of the header, for progress bars: it may be wrong, or None.
      sound_path: the file with the sound: the film itself or another; None if there is none.
      start_seconds: when the first picture is shown, on the clock of that file.
    """

    path: Path
    name: str
    source: FilmSource
    sound_path: Path | None
    start_seconds: Fraction

    @property
    def width(self) -> int:
        return self.source.width

    @property
    def height(self) -> int:
        return self.source.height

    @property
    def frame_rate_hz(self) -> float:
        return float(self.source.frame_rate_hz)

    @property
    def num_frames(self) -> int | None:
        return self.source.num_frames

    @property
    def has_sound(self) -> bool:
        return self.sound_path is not None

    def frames(self, size: int, resize_filter: ResizeFilter = "bicubic") -> Iterator[FilmFrame]:
        """Yields every frame at size x size pixels.

        `resize_filter` is that of the step to 320x240. Warns in the log if damaged parts of the film were left out.
        """
        resize = ResizePicture(size, resize_filter)
        shots = self.source.shots(warn=True)
        return _readable(
            self.path, _mapped_ahead(lambda shot: FilmFrame(resize(shot.pixels()), float(shot.seconds)), shots)
        )

    def pictures(self, warn: bool = False) -> Iterator[Picture]:
        """Yields every frame at its own size. `warn` logs how many damaged parts of the film were left out."""
        shots = self.source.shots(warn)
        return _readable(
            self.path,
            (Picture(np.ascontiguousarray(shot.pixels()), shot.seconds, shot.duration_seconds) for shot in shots),
        )

    def waveform(self, warn: bool = True) -> Iterator[np.ndarray]:
        """Yields the sound in chunks of a few seconds at most: float32 [S], mono, 22,050 Hz, in [-256, 256).

        Its first sample is heard with the first frame, the others by their timestamps. It may end before the last
        frame or after it. A film without sound gives none. `warn` logs that, and that damaged parts were left out.
        """
        chunk = None
        if self.sound_path:
            for chunk in _readable(self.sound_path, waveform_chunks(self.sound_path, self.start_seconds, warn)):
                yield chunk
        if warn and chunk is None:
            logger.warning("%s: no sound in this film; it is taken as silent.", self.path)

    def pcm(self, warn: bool = True) -> PcmSound | None:
        """Returns the sound at its own sample rate, or None if there is none.

        Its samples are placed in time as those of `waveform` are. `warn` logs that damaged parts were left out.
        """
        if not self.sound_path:
            return None
        with _unreadable_as_user_error(self.sound_path):
            sound = pcm_sound(self.sound_path, self.start_seconds, warn)
        return sound and replace(sound, chunks=_readable(self.sound_path, sound.chunks))


def open_film(path: Path | str, *, sound: Path | str | None = None, frame_rate_hz: float | None = None) -> Film:
    """Opens a film: a file of any kind FFmpeg decodes, or a folder of pictures. Reads its header and first picture.

    Args:
      path: a film file, or a folder whose pictures, in natural order, are the frames.
      sound: a file to take the sound from instead. Of a sound, the first sample is heard with the first frame; a film
        keeps its sound's place against its own first picture. By default a folder's sound is the sound file in it.
      frame_rate_hz: of a folder of pictures; 25 by default, with a warning in the log. Film files have times of their
        own, so it is an error there.

    Raises:
      UserError: a file is missing or cannot be read, a folder holds no picture or several sounds, or the frame rate
        is not possible.
    """
    path = Path(path)
    if path.is_dir():
        source, name = open_frame_folder(path, frame_rate_hz), film_name(path)
        sound = sound_in(path) if sound is None else sound
    else:
        if frame_rate_hz is not None and path.exists():
            raise UserError(
                f"{path}: a film file has times of its own. Give a frame rate only with a folder of frames."
            )
        source, name = open_encoded_film(path), film_name(path)
        if sound is None:
            return Film(path, name, source, path if source.has_sound else None, source.start_seconds)
    if sound is None:
        return Film(path, name, source, None, Fraction(0))
    return Film(path, name, source, Path(sound), _start_on_its_clock(Path(sound)))


def film_name(path: Path) -> str:
    """What its output folder is called: the file's name without suffix, or the folder's. Opens nothing."""
    if not path.is_dir():
        return path.stem
    return path.name if path.name not in ("", "..") else path.resolve().name


def _start_on_its_clock(sound: Path) -> Fraction:
    """When the first picture of another film is to be shown on the clock of `sound`, which may be a film too."""
    with open_sound(sound) as (container, _):
        is_film = any(is_moving_picture(stream) for stream in container.streams.video)
    return open_encoded_film(sound).start_seconds if is_film else sound_start(sound)


def _readable(path: Path, items: Iterable[Item]) -> Iterator[Item]:
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
    """Yields function(item) in the order of the items, worked out in threads a few items ahead."""
    waiting = deque()
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
