"""One film and its gaze -> its frames, sound and maps in the raw layout."""

import csv
import io
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import soundfile
from PIL import Image

from data_pipelines.films.decoding import USUAL_FRAME_RATE_HZ, Streams, open_video, upright_picture
from data_pipelines.ingestion.gaze_tables import Gaze
from data_pipelines.ingestion.viewing_geometry import Units, Viewing
from data_pipelines.raw.gaze_maps import JPEG_QUALITY, density_map, fixation_map, save_density, save_fixations
from data_pipelines.raw.layout import OBSERVER_COLUMNS, RawLayout
from data_pipelines.runtime.errors import UserError

CLOCK_TOLERANCE_SECONDS = 0.5e-3  # many tables have times in whole milliseconds


@dataclass(frozen=True)
class FilmJob:
    """A film to write: `path` -> `database`/`name` in `layout`, scaled down to `height` pixels if it is higher."""

    path: Path
    name: str
    gaze: Sequence[Gaze]
    units: Units
    viewing: Viewing
    height: int | None
    layout: RawLayout
    database: str


@dataclass(frozen=True)
class FilmReport:
    """What became of a film. `left_out` says why nothing of it was kept; empty if it was.

    Of its `num_points` gaze points (rows of the tables), `num_outside` lie beside the picture and `num_untimely` before
    or after the film. clock_error_seconds: the largest difference between a frame's time and that of a steady rate.
    """

    name: str
    left_out: str = ""
    num_frames: int = 0
    fps: float = 0.0
    sigma: float = 0.0
    num_points: int = 0
    num_outside: int = 0
    num_untimely: int = 0
    num_frames_without_gaze: int = 0
    has_sound: bool = False
    clock_error_seconds: float = 0.0


@dataclass(frozen=True)
class _Footage:
    """times: float64 [N + 1], seconds since the first frame at which each frame appears, and the end of the last."""

    times: np.ndarray
    fps: float
    film_size: tuple[int, int]
    frame_size: tuple[int, int]
    has_sound: bool

    @property
    def num_frames(self) -> int:
        return len(self.times) - 1


def write_film(job: FilmJob) -> FilmReport:
    """Writes a film. Raises UserError if it cannot be decoded; one without gaze or with a single frame is left out."""
    footage = _write_frames_and_sound(job)
    first, last, points, whose, num_outside, num_untimely = _points_on_frames(job, footage)
    num_points = sum(len(part.x) for part in job.gaze)
    counts = {"num_points": num_points, "num_outside": num_outside, "num_untimely": num_untimely}
    if footage.num_frames < 2 or not len(points):
        layout, film = job.layout, (job.database, job.name)
        for folder in (layout.frame_folder(*film), layout.sound_path(*film).parent, layout.annotation_folder(*film)):
            shutil.rmtree(folder, ignore_errors=True)
        why = "has a single frame" if footage.num_frames < 2 else "has no gaze within its picture and time"
        return FilmReport(job.name, why, **counts)
    sigma = job.viewing.film_sigma(footage.film_size)
    num_without = _write_maps(job, footage, first, last, points, sigma)
    _write_observers(job, first, last, points, whose)
    return FilmReport(
        job.name,
        num_frames=footage.num_frames,
        fps=footage.fps,
        sigma=sigma,
        num_frames_without_gaze=num_without,
        has_sound=footage.has_sound,
        clock_error_seconds=float(np.abs(footage.times - np.arange(len(footage.times)) / footage.fps).max()),
        **counts,
    )


def frames_of(gaze: Gaze, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last frame, int [n] from 0, that each row is seen on; first > last for one before or after the film.

    `times` [N + 1] as of a film: frame i is on the screen from times[i] until times[i + 1]. A sample belongs to the
    frame on the screen; a fixation to every frame that is there while it lasts.
    """
    if gaze.counts_frames:
        numbers = np.minimum(gaze.starts, len(times)).astype(int) - 1
        starts = times[numbers]
    else:
        starts = gaze.starts
    ends = starts + gaze.durations
    first = np.searchsorted(times, starts + CLOCK_TOLERANCE_SECONDS, side="right") - 1
    last = np.searchsorted(times, ends - CLOCK_TOLERANCE_SECONDS, side="left") - 1  # its end is no more part of it
    last = np.maximum(last, first)
    untimely = (first > len(times) - 2) | (last < 0)
    return np.where(untimely, 0, np.maximum(first, 0)), np.where(untimely, -1, np.minimum(last, len(times) - 2))


def _points_on_frames(
    job: FilmJob, footage: _Footage
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int, int]:
    """First and last frame [n], points int [n, 2] in pixels of the frames written, observers [n]; and two counts."""
    parts, num_outside, num_untimely = [], 0, 0
    for gaze in job.gaze:
        x, y = job.viewing.on_film(gaze.x, gaze.y, job.units, footage.film_size)
        width, height = footage.film_size
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        first, last = frames_of(gaze, footage.times)
        timely = first <= last
        num_outside += np.count_nonzero(~inside)
        num_untimely += np.count_nonzero(inside & ~timely)
        kept = inside & timely  # what is far beside the picture may not bear multiplying
        points = np.stack([x[kept], y[kept]], axis=1) * footage.frame_size / np.array(footage.film_size)
        whose = np.array(gaze.observers, object)[gaze.observer[kept]]
        parts.append((first[kept], last[kept], np.floor(points).astype(int), whose))
    first, last, points, whose = (np.concatenate(part) for part in zip(*parts, strict=True))
    points = np.minimum(points, np.array(footage.frame_size) - 1)
    return first, last, points, whose, int(num_outside), int(num_untimely)


def _write_maps(
    job: FilmJob, footage: _Footage, first: np.ndarray, last: np.ndarray, points: np.ndarray, sigma: float
) -> int:
    """How many frames nobody looks at."""
    rows, frames = _frame_by_frame(first, last)
    order = np.argsort(frames, kind="stable")
    seen = points[rows[order]]
    bounds = np.searchsorted(frames[order], np.arange(footage.num_frames + 1))
    scale = footage.frame_size[1] / footage.film_size[1]
    job.layout.density_path(job.database, job.name, 1).parent.mkdir(parents=True)
    for number, (begin, end) in enumerate(pairwise(bounds), start=1):
        of_frame, place = seen[begin:end], (job.database, job.name, number)
        save_fixations(job.layout.fixation_path(*place), fixation_map(of_frame, footage.frame_size))
        save_density(job.layout.density_path(*place), density_map(of_frame, footage.frame_size, sigma * scale))
    return int(np.count_nonzero(np.diff(bounds) == 0))


def _frame_by_frame(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A point for each frame it is seen on: which point, and which frame from 0."""
    lengths = last - first + 1
    starts = np.cumsum(lengths) - lengths
    return np.repeat(np.arange(len(first)), lengths), np.repeat(first - starts, lengths) + np.arange(lengths.sum())


def _write_observers(job: FilmJob, first: np.ndarray, last: np.ndarray, points: np.ndarray, whose: np.ndarray) -> None:
    """observers.csv, who looked where; not if the tables do not tell observers apart."""
    names = sorted(set(whose))
    if len(names) < 2:
        return
    rows, frames = _frame_by_frame(first, last)
    number_of = {name: number for number, name in enumerate(names)}
    numbers = np.array([number_of[name] for name in whose])
    lines = np.unique(np.column_stack([frames + 1, numbers[rows], points[rows]]), axis=0)
    path = job.layout.observers_path(job.database, job.name)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(OBSERVER_COLUMNS)
        writer.writerows((names[observer], frame, x, y) for frame, observer, x, y in lines.tolist())


def _write_frames_and_sound(job: FilmJob) -> _Footage:
    job.layout.frame_folder(job.database, job.name).mkdir(parents=True)
    times, sound = [], _Sound()
    film_size = frame_size = None
    with open_video(job.path) as streams:
        for frame in streams.decode():
            if isinstance(frame, av.AudioFrame):
                sound.add(frame, job.path)
                continue
            picture = Image.fromarray(upright_picture(frame))
            film_size = film_size or picture.size  # the first picture's, though broadcasts may change it
            frame_size = frame_size or _scaled(film_size, job.height)
            if picture.size != frame_size:
                picture = picture.resize(frame_size, Image.Resampling.LANCZOS)
            times.append(None if frame.pts is None else frame.pts * frame.time_base)
            path = job.layout.frame_path(job.database, job.name, len(times))
            picture.save(path, quality=JPEG_QUALITY, subsampling=0)
        if not times:
            raise UserError(f"{job.path}: no frame could be decoded. Give a film that plays.")
        seconds, fps = _clock(times, streams)
    sound.write(job.layout.sound_path(job.database, job.name), times[0] or 0)
    return _Footage(seconds, fps, film_size, frame_size, sound.rate_hz is not None)


def _scaled(film_size: tuple[int, int], height: int | None) -> tuple[int, int]:
    if height is None or film_size[1] <= height:
        return film_size
    return max(1, round(film_size[0] * height / film_size[1])), height


def _clock(times: list, streams: Streams) -> tuple[np.ndarray, float]:
    """Seconds since the first frame [N + 1], and the average rate in Hz; of a steady rate if the times do not rise."""
    if len(times) > 1 and None not in times and all(a < b for a, b in pairwise(times)):
        fps = float((len(times) - 1) / (times[-1] - times[0]))
        seconds = [float(time - times[0]) for time in times]
        return np.array([*seconds, seconds[-1] + 1 / fps]), fps
    fps = float(streams.video.average_rate or streams.video.guessed_rate or USUAL_FRAME_RATE_HZ)
    return np.arange(len(times) + 1) / fps, fps


class _Sound:
    """The sound of a film as 16-bit PCM, int16 [samples, channels]; rate and channels stay as they are."""

    def __init__(self):
        self.rate_hz, self._start, self._chunks, self._resampler = None, None, [], None

    def add(self, frame: av.AudioFrame, path: Path) -> None:
        if self._resampler is None:
            self.rate_hz = frame.sample_rate
            self._start = None if frame.pts is None else frame.pts * frame.time_base
            self._resampler = av.AudioResampler("s16", frame.layout, frame.sample_rate)
        try:
            converted = self._resampler.resample(frame)
        except ValueError:
            raise UserError(f"{path}: its sound changes rate or channels midway. Convert the film first.") from None
        for part in converted:
            self._chunks.append(part.to_ndarray().reshape(-1, part.layout.nb_channels))

    def write(self, path: Path, picture_start) -> None:
        """Padded (late) or cropped (early) at its start so that sample 0 sounds with the first frame."""
        if self.rate_hz is None:
            return
        samples = np.concatenate(self._chunks)
        shift = 0 if self._start is None else round((self._start - picture_start) * self.rate_hz)
        samples = np.pad(samples, ((shift, 0), (0, 0))) if shift >= 0 else samples[-shift:]
        path.parent.mkdir(parents=True)
        encoded = io.BytesIO()  # libsndfile does not tell a full disk from other faults
        soundfile.write(encoded, samples, self.rate_hz, format="WAV", subtype="PCM_16")
        path.write_bytes(encoded.getbuffer())
