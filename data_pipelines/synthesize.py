"""Command: a synthetic audio-visual eye-tracking database in the raw layout.

Two or three objects of different kinds move about in every film, and people look at the one that sounds. A model
that only sees cannot tell which one that is; a model that hears too can learn it, because each kind has its own sound.

Example:
    python -m data_pipelines.synthesize --output raw --films 60 --frames 80
"""

import argparse
import io
import math
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import as_completed
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track
from scipy.io import savemat, wavfile

from data_pipelines.runtime import atomic, errors, processes
from data_pipelines.runtime.command import command
from data_pipelines.runtime.limits import FRAME_RATES_HZ, LARGEST_SIZE
from data_pipelines.synthetic.gaze import density_map, fixation_map, gaze_points
from data_pipelines.synthetic.plan import KINDS, FilmPlan, film_plan
from data_pipelines.synthetic.scene import render_frames
from data_pipelines.synthetic.sound import SOUND_RATE_HZ, render_film_sound, render_sound

__all__ = ["DATABASE", "KINDS", "FilmPlan", "film_plan", "render_film_sound", "render_sound", "synthesize"]

DATABASE = "Synthetic"
NUM_SPLITS = 3
FILMS_PER_WORKER = 4  # fewer are done sooner than a process starts
MAT_HEADER = b"MATLAB 5.0 MAT-file".ljust(116)  # SciPy's own holds the time of day


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
    """Writes a synthetic database into the new folder `output`, in the raw layout; the same bytes for the same seed.

    Films are 8-bit RGB of `frame_size` (width, height) pixels with 16-bit mono sound at 22,050 Hz. Each of the three
    splits tests on `num_test_films` films; no film is in two test sets as long as there are three times as many films.
    `workers` processes share the work (default: one a core, as far as they pay); 1 starts none.

    Raises:
        UserError: `output` exists and is not an empty folder, or a number is too small.
    """
    output = Path(output)
    _check(output, num_train_films, num_test_films, num_frames, fps, frame_size, seed, workers)
    num_films = num_train_films + num_test_films
    write = partial(_write_film, seed=seed, num_frames=num_frames, fps=fps, frame_size=tuple(frame_size))

    with atomic.temporary_folder_beside(output) as aside:
        root = aside / "raw"
        _write_fold_lists(root, num_films, num_test_films, num_frames, fps)
        for _ in track(
            _each(partial(write, root), range(1, num_films + 1), workers),
            description="Synthetic films",
            total=num_films,
            console=Console(stderr=True),
            transient=True,
            disable=not Console(stderr=True).is_terminal,
        ):
            pass
        if output.exists():
            output.rmdir()
        root.rename(output)


def _check(
    output: Path,
    num_train_films: int,
    num_test_films: int,
    num_frames: int,
    fps: float,
    frame_size: tuple[int, int],
    seed: int,
    workers: int | None,
) -> None:
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise errors.UserError(f"{output}: exists already. Remove it or name another output.")
    limits = [
        ("training films", num_train_films, 1, 999),  # names have three digits
        ("test films", num_test_films, 1, 999),
        ("frames", num_frames, 16, 99_999),
        ("fps", fps, 1, FRAME_RATES_HZ[1]),
        ("frame width", frame_size[0], 32, LARGEST_SIZE),
        ("frame height", frame_size[1], 32, LARGEST_SIZE),
        ("seed", seed, 0, math.inf),
        ("workers", 1 if workers is None else workers, 1, math.inf),
    ]
    for name, value, least, most in limits:
        if value < least:
            raise errors.UserError(f"{name}: {value} is too small. Use at least {least}.")
        if not value <= most:
            raise errors.UserError(f"{name}: {value:g} is too large. Use at most {most:g}.")


def _each(write, numbers: Iterable[int], workers: int | None) -> Iterable[None]:
    """Yields after each film that is written."""
    numbers = list(numbers)
    if workers is None:
        workers = min(os.cpu_count() or 1, len(numbers) // FILMS_PER_WORKER)
    if workers <= 1:
        yield from map(write, numbers)
        return
    pool = processes.new_pool(min(workers, len(numbers)))
    try:
        with processes.worker_death_as_user_error(pool):
            for done in as_completed([pool.submit(write, number) for number in numbers]):
                yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _write_film(root: Path, number: int, **options) -> None:
    plan = film_plan(number=number, **options)
    frames_folder = root / "video_frames" / DATABASE / plan.name
    sound_folder = root / "video_audio" / DATABASE / plan.name
    annotation_folder = root / "annotations" / DATABASE / plan.name
    maps_folder = annotation_folder / "maps"
    for folder in (frames_folder, sound_folder, maps_folder):
        folder.mkdir(parents=True)

    points = gaze_points(plan)
    for frame, picture in enumerate(render_frames(plan), start=1):
        Image.fromarray(picture).save(frames_folder / f"img_{frame:05d}.jpg", quality=90)
        density = density_map(points[frame - 1], plan.frame_size)
        Image.fromarray(density).save(maps_folder / f"eyeMap_{frame:05d}.jpg", quality=95)
        fixations = fixation_map(points[frame - 1], plan.frame_size)
        (annotation_folder / f"fixMap_{frame:05d}.mat").write_bytes(_mat_bytes(fixations))
    pcm = np.clip(np.round(render_film_sound(plan) * 2**15), -(2**15), 2**15 - 1).astype(np.int16)
    wavfile.write(sound_folder / f"{plan.name}.wav", SOUND_RATE_HZ, pcm)


def _mat_bytes(fixations: np.ndarray) -> bytes:
    """A MATLAB 5 file with the fixation map as `eyeMap`."""
    file = io.BytesIO()
    savemat(file, {"eyeMap": fixations}, do_compression=True)
    return MAT_HEADER + file.getvalue()[len(MAT_HEADER) :]


def _write_fold_lists(root: Path, num_films: int, num_test_films: int, num_frames: int, fps: float) -> None:
    folder = root / "fold_lists"
    folder.mkdir(parents=True)
    for split in range(NUM_SPLITS):
        tested = {(split * num_test_films + place) % num_films + 1 for place in range(num_test_films)}
        for subset, numbers in (("train", set(range(1, num_films + 1)) - tested), ("test", tested)):
            lines = [f"film_{number:03d} {num_frames} {fps:g}\n" for number in sorted(numbers)]
            (folder / f"{DATABASE}_list_{subset}_{split + 1}_fps.txt").write_text("".join(lines), encoding="utf-8")


def _frame_size(text: str) -> tuple[int, int]:
    width, height = text.lower().split("x")
    return int(width), int(height)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m data_pipelines.synthesize",
        description="Writes a synthetic audio-visual eye-tracking database in the raw layout. "
        "People look at whichever object sounds.",
        epilog="example: python -m data_pipelines.synthesize --output raw --films 60 --frames 80",
    )
    parser.add_argument("--output", type=Path, required=True, help="folder to make; must not exist or be empty")
    parser.add_argument("--films", type=int, default=60, help="number of films, a fifth of them for test (default: 60)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--frames", type=int, default=80, help="frames a film (default: 80)")
    length.add_argument("--seconds", type=float, help="seconds a film, instead of --frames")
    parser.add_argument("--fps", type=float, default=25, help="frames a second (default: 25)")
    parser.add_argument(
        "--frame-size", type=_frame_size, default=(160, 120), metavar="WxH", help="pixels (default: 160x120)"
    )
    parser.add_argument("--seed", type=int, default=0, help="another seed, other films (default: 0)")
    parser.add_argument("--workers", type=int, help="processes (default: one a core)")
    return parser


@command
def main(argv: Sequence[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    if arguments.seconds is not None and not math.isfinite(arguments.seconds * arguments.fps):
        raise errors.UserError(f"seconds: {arguments.seconds:g} at {arguments.fps:g} fps is no length. Use a number.")
    num_test_films = max(1, arguments.films // 5)
    synthesize(
        arguments.output,
        num_train_films=arguments.films - num_test_films,
        num_test_films=num_test_films,
        num_frames=round(arguments.seconds * arguments.fps) if arguments.seconds is not None else arguments.frames,
        fps=arguments.fps,
        frame_size=arguments.frame_size,
        seed=arguments.seed,
        workers=arguments.workers,
    )
    print(f"{arguments.output}: {arguments.films} films")


if __name__ == "__main__":
    main()
