"""Makes a synthetic audio-visual eye-tracking database in the raw layout.

Two or three objects of different kinds move about in every film, and people look at the one that sounds. A model that
only sees cannot know which one that is. A model that also hears can learn it, because each kind has its own sound.
"""

import math
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track

from data_pipelines.raw.film_writer import FilmWriter
from data_pipelines.raw.fold_lists import ListedFilm
from data_pipelines.raw.layout import RawLayout
from data_pipelines.raw.list_writer import disjoint_tests, write_lists
from data_pipelines.runtime import atomic, processes
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.folders import is_free
from data_pipelines.runtime.limits import FRAME_RATES_HZ, LARGEST_SIZE
from data_pipelines.synthetic.gaze import gaze_points
from data_pipelines.synthetic.plan import FilmPlan, film_plan
from data_pipelines.synthetic.scene import render_frames
from data_pipelines.synthetic.sound import SOUND_RATE_HZ, render_film_sound

DATABASE = "Synthetic"
SIGMA_TO_SIDE = 0.05  # ratio of the density map's standard deviation to the frame's shorter side
SIGMAS = 4  # beyond this distance the Gaussian is cut
JPEG_OPTIONS = {"quality": 90, "subsampling": -1}  # Pillow's default: colour at half the resolution
FILMS_PER_WORKER = 4  # fewer are finished before a process has started
LIMITS = {
    "training films": (1, 999),  # names have three digits
    "test films": (1, 999),
    "frames": (16, 99_999),
    "fps": (1, FRAME_RATES_HZ[1]),
    "frame width": (32, LARGEST_SIZE),
    "frame height": (32, LARGEST_SIZE),
    "seed": (0, math.inf),
    "workers": (1, math.inf),
}


def synthesize(
    output: Path,
    *,
    num_train_films: int = 48,
    num_test_films: int = 12,
    num_frames: int = 80,
    fps: float = 25,
    frame_size: tuple[int, int] = (160, 120),
    seed: int = 0,
    workers: int | None = None,
) -> None:
    """Writes a synthetic database in the raw layout into the new folder `output`. The same seed gives the same bytes.

    Films are 8-bit RGB with 16-bit mono sound at 22,050 Hz.

    Args:
      output: folder to make. It must not exist, or be empty.
      num_train_films: number of training films in each split.
      num_test_films: number of test films in each split. With three times as many films, no film is in two test sets.
      num_frames: frames per film.
      fps: frames per second.
      frame_size: (width, height) in pixels.
      seed: decides what happens in the films and where people look.
      workers: number of processes. By default one per core, but at most one for every four films.

    Raises:
      UserError: `output` exists and is not an empty folder, or a number is out of range.
    """
    output, num_films = Path(output), num_train_films + num_test_films
    if not is_free(output):
        raise UserError(f"{output}: exists already. Remove it or name another output.")
    if workers is None:
        workers = max(1, min(os.cpu_count() or 1, num_films // FILMS_PER_WORKER))
    numbers = (num_train_films, num_test_films, num_frames, fps, *frame_size, seed, workers)
    _check(dict(zip(LIMITS, numbers, strict=True)))
    plan_of = partial(film_plan, seed, num_frames=num_frames, fps=fps, frame_size=(frame_size[0], frame_size[1]))
    with atomic.temporary_folder_beside(output) as aside:
        for part in ("video_frames", "fold_lists"):
            (aside / "raw" / part).mkdir(parents=True)
        layout = RawLayout(aside / "raw")
        _write_lists(layout, num_films, num_test_films, num_frames, fps)
        with processes.workers_for(num_films, workers) as executor:
            jobs = ((layout, plan_of, number) for number in range(1, num_films + 1))
            for _ in track(
                processes.in_parallel(executor, _write_film, jobs),
                description="Synthetic films",
                total=num_films,
                console=Console(stderr=True),
                transient=True,
                disable=not Console(stderr=True).is_terminal,
            ):
                pass
        atomic.replace_folder(layout.root, output)


def _check(numbers: Mapping[str, float]) -> None:
    for name, number in numbers.items():
        least, most = LIMITS[name]
        if number < least:
            raise UserError(f"{name}: {number} is too small. Use at least {least}.")
        if not number <= most:
            raise UserError(f"{name}: {number:g} is too large. Use at most {most:g}.")


def _write_film(layout: RawLayout, plan_of: partial[FilmPlan], number: int) -> None:
    plan = plan_of(number)
    writer = FilmWriter(layout, DATABASE, plan.name)
    sigma = SIGMA_TO_SIDE * min(plan.frame_size)
    for frame, (picture, points) in enumerate(zip(render_frames(plan), gaze_points(plan), strict=True), start=1):
        writer.write_frame(frame, Image.fromarray(picture), **JPEG_OPTIONS)
        seen = points[~np.isnan(points[:, 0])].astype(int)
        writer.write_maps(frame, seen, plan.frame_size, sigma, truncate=SIGMAS)
    pcm = np.clip(np.round(render_film_sound(plan) * 2**15), -(2**15), 2**15 - 1).astype(np.int16)
    writer.write_sound([pcm[:, None]], SOUND_RATE_HZ)


def _write_lists(layout: RawLayout, num_films: int, num_test_films: int, num_frames: int, fps: float) -> None:
    films = [ListedFilm(DATABASE, f"film_{number:03d}", num_frames, fps) for number in range(1, num_films + 1)]
    tests = disjoint_tests([film.name for film in films], num_test_films)
    write_lists(layout.root / "fold_lists", films, tests)
