"""Writes one film and its gaze in the raw layout: frames, sound and maps.

Frames, their times and the sound come from `films.film.open_film`, which prediction uses too: a network sees and hears
a film in training as it does in prediction.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from data_pipelines.films.film import Film, open_film
from data_pipelines.films.film_maps import FilmMaps
from data_pipelines.films.still import Still
from data_pipelines.ingestion.gaze import GazeTable
from data_pipelines.ingestion.gaze_check import write_check
from data_pipelines.ingestion.gaze_on_frames import FrameGaze, gaze_on_frames
from data_pipelines.ingestion.given_maps import GivenMaps, MapsOfFrames, maps_of_frames
from data_pipelines.raw.film_writer import FilmWriter
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.limits import is_rate

SINGLE_FRAME = "has a single frame"  # why a film is left out
MANY_POINTS = 100  # so many are never all in one quarter of the picture by themselves
LARGEST_DIFFERENCE_OF_SHAPE = 0.05  # of width over height, between given maps and frames


@dataclass(frozen=True)
class FilmJob:
    """A film to write.

    Attributes:
      path: the film.
      gaze: the gaze of the film, one table for each file that has some.
      maps: maps in place of gaze, if a database publishes maps.
      height: pixels; a higher film is scaled down to it. None keeps the size.
      check: whether to draw the gaze over the film; see `gaze_check`.
      still: whether the film is a picture, at which all of its gaze looks.
      writer: writes the film's files.
    """

    path: Path
    gaze: Sequence[GazeTable]
    maps: GivenMaps | None
    height: int | None
    check: bool
    still: bool
    writer: FilmWriter


@dataclass(frozen=True)
class FilmReport:
    """What was written of a film, and what was left out.

    Attributes:
      name: the film's name in the raw layout.
      left_out: why nothing of the film was kept; empty if it was kept.
      num_frames: number of frames.
      fps: average frames per second.
      sigma: standard deviation of the density map's Gaussian in pixels of the film; 0 if the maps were given.
      num_points: gaze points, which are rows of the tables.
      num_outside: gaze points outside the picture.
      num_untimely: gaze points before or after the film.
      num_maps_left_out: given maps of frames that the film does not have.
      num_on_frames: gaze points on frames; a fixation counts once for each of its frames.
      gaze_seconds: time of the first and the last gaze point, if the gaze has times.
      num_frames_without_gaze: frames that nobody looks at.
      is_in_corner: whether there is much gaze, and nearly all of it in the upper left quarter of the picture.
      has_sound: whether the film has sound.
      clock_error_seconds: the largest difference between a frame's time and its time at the steady rate `fps`.
    """

    name: str
    left_out: str = ""
    num_frames: int = 0
    fps: float = 0.0
    sigma: float = 0.0
    num_points: int = 0
    num_outside: int = 0
    num_untimely: int = 0
    num_maps_left_out: int = 0
    num_on_frames: int = 0
    gaze_seconds: tuple[float, float] | None = None
    num_frames_without_gaze: int = 0
    is_in_corner: bool = False
    has_sound: bool = False
    clock_error_seconds: float = 0.0


def ingest_film(job: FilmJob) -> FilmReport:
    """Writes a film. Leaves out a film without gaze, with a single frame or with an impossible frame rate.

    A still has a single frame, which is shown at all times.

    Raises:
      UserError: the film cannot be decoded.
    """
    film, writer = open_film(job.path, stills=True), job.writer
    if isinstance(film, Still) != job.still:
        fault = (
            "is a film, not a picture. Leave it out, or leave out --stills"
            if job.still
            else "is a single picture. Give a film, the folder of a film's pictures, or --stills for pictures"
        )
        raise UserError(f"{job.path}: {fault}.")
    film_size, aspect = (film.width, film.height), float(film.pixel_aspect)
    frame_size = _scaled(film_size, job.height)
    seconds = _write_frames(writer, film, frame_size)
    num_frames = len(seconds)
    rate_hz = (num_frames - 1) / seconds[-1] if num_frames > 1 else film.nominal_rate_hz
    times = np.array([float(time) for time in (*seconds, seconds[-1] + 1 / rate_hz)])
    if job.still:
        times = np.array([-np.inf, np.inf])
    fps = float(rate_hz)
    maps = maps_of_frames(job.maps, film, num_frames) if job.maps else None
    gaze = maps.gaze(frame_size) if maps else gaze_on_frames(job.gaze, times, film_size, frame_size, aspect)
    counts: dict[str, Any] = {
        "num_points": len(gaze.frames) if maps else sum(len(table.x) for table in job.gaze),
        "num_outside": gaze.num_outside,
        "num_untimely": gaze.num_untimely,
        "num_maps_left_out": maps.num_left_out if maps else 0,
        "num_on_frames": len(gaze.frames),
        "gaze_seconds": _span(job.gaze),
    }
    given = next((FilmMaps(table.density_film) for table in job.gaze if table.density_film), None)
    left_out = _why_left_out(job.still, num_frames, fps, gaze) or _other_shape(maps, frame_size)
    if given and len(given) != num_frames:
        left_out = left_out or f"has a saliency film of {len(given)} frames for {num_frames} frames"
    if left_out:
        writer.remove()
        return FilmReport(writer.name, left_out, num_frames=num_frames, fps=fps, **counts)
    viewing = (job.maps.conventions if job.maps else job.gaze[0].conventions).viewing
    sigma = viewing.film_sigma(film_size, aspect)
    num_without_gaze = 0
    densities: Iterable[np.ndarray | None] = [None] * num_frames
    if maps:
        densities = maps.densities(frame_size)
    elif given:
        densities = _resized(given, frame_size)
    for number, (points, density) in enumerate(zip(gaze.points_of_frames(num_frames), densities, strict=True), start=1):
        if density is None:
            scaled_sigma = sigma * frame_size[1] / film_size[1]
            writer.write_maps(number, points, frame_size, scaled_sigma, pixel_aspect=aspect)
        else:
            writer.write_given_maps(number, density, points, frame_size)
        num_without_gaze += not len(points)
    if rows := gaze.rows_by_observer():
        writer.write_observers(rows)
    if sound := film.pcm():
        writer.write_sound(sound.chunks, sound.rate_hz, sound.num_channels)
    if job.check:
        write_check(writer, film, gaze, seconds, frame_size)
    return FilmReport(
        writer.name,
        num_frames=num_frames,
        fps=fps,
        sigma=0.0 if given or (maps and any(maps.density)) else sigma,
        num_frames_without_gaze=num_without_gaze,
        is_in_corner=_is_in_corner(gaze.points, frame_size),
        has_sound=sound is not None,
        clock_error_seconds=0.0 if job.still else float(np.abs(times - np.arange(len(times)) / fps).max()),
        **counts,
    )


def _write_frames(writer: FilmWriter, film: Film, frame_size: tuple[int, int]) -> list[Fraction]:
    """Returns the time of each frame in seconds since the first one."""
    if isinstance(film, Still) and film.is_upright_jpeg and frame_size == (film.width, film.height):
        writer.copy_frame(1, film.path)
        return [Fraction(0)]
    seconds = []
    for number, shown in enumerate(film.pictures(warn=True), start=1):
        picture = Image.fromarray(shown.pixels)
        if picture.size != frame_size:
            picture = picture.resize(frame_size, Image.Resampling.LANCZOS)
        writer.write_frame(number, picture)
        seconds.append(shown.seconds)
    return seconds


def _resized(maps: FilmMaps, frame_size: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yields density maps as uint8 [H, W] of (width, height)."""
    for number in maps:
        levels = Image.fromarray(maps[number]).resize(frame_size, Image.Resampling.BILINEAR)
        yield np.round(np.asarray(levels)).astype(np.uint8)


def _is_in_corner(points: np.ndarray, frame_size: tuple[int, int]) -> bool:
    is_upper_left = (2 * points < frame_size).all(axis=1)
    return len(points) >= MANY_POINTS and bool(is_upper_left.mean() > 0.99)


def _span(tables: Sequence[GazeTable]) -> tuple[float, float] | None:
    """Returns the first and the last time of gaze, or None if it has no times but frames."""
    timed = [table for table in tables if len(table.starts) and not table.counts_frames]
    if not timed:
        return None
    first = min(table.starts.min() for table in timed)
    return float(first), float(max((table.starts + table.durations).max() for table in timed))


def _scaled(film_size: tuple[int, int], height: int | None) -> tuple[int, int]:
    if height is None or film_size[1] <= height:
        return film_size
    return max(1, round(film_size[0] * height / film_size[1])), height


def _other_shape(maps: MapsOfFrames | None, frame_size: tuple[int, int]) -> str:
    """Returns what is wrong if given maps are not of the shape of the frames, or an empty string."""
    if maps is None:
        return ""
    width, height = maps.size()
    if abs(width * frame_size[1] / max(1, height * frame_size[0]) - 1) <= LARGEST_DIFFERENCE_OF_SHAPE:
        return ""
    return f"has maps of {width}x{height} for frames of {frame_size[0]}x{frame_size[1]}"


def _why_left_out(still: bool, num_frames: int, fps: float, gaze: FrameGaze) -> str:
    """Returns why a film cannot be used, or an empty string."""
    if num_frames < 2 and not still:
        return SINGLE_FRAME
    if not is_rate(fps):
        return f"has {fps:g} frames a second on average, which raw data cannot have"
    return "" if len(gaze.frames) else "has no gaze within its picture" + (" and time" if not still else "")
