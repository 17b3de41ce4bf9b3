"""Writes reframed films and their previews: the film is decoded once for all of them."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from data_pipelines.drawing.mp4_film import mp4_writer
from data_pipelines.films.film import Film
from stavis_jax.prediction.read_ahead import read_ahead
from stavis_jax.reframing.draw import preview_picture, reframed_picture
from stavis_jax.reframing.plan import Plan

PICTURES_AHEAD = 8

DrawPicture = Callable[[np.ndarray, Plan, int, bool], np.ndarray]  # see `reframed_picture`


def film_name(plan: Plan) -> str:
    return f"{plan.ratio.name}.mp4"


def preview_name(plan: Plan) -> str:
    return f"{plan.ratio.name}_preview.mp4"


def write_films(
    film: Film, plans: Sequence[Plan], folder: Path, *, preview: bool, advance: Callable[[int], object]
) -> None:
    """Writes the reframed film of each plan, and with `preview` the film with the crop drawn on it.

    Pictures keep their times. The sound is copied where MP4 can hold it, and encoded again elsewhere.

    Args:
      film: the film.
      plans: what is written.
      folder: to write to.
      preview: whether to write previews.
      advance: called with 1 after every frame.

    Raises:
      UserError: the film or its sound cannot be read.
    """
    jobs: list[tuple[Plan, Path, DrawPicture]] = [(plan, folder / film_name(plan), reframed_picture) for plan in plans]
    if preview:
        jobs += [(plan, folder / preview_name(plan), preview_picture) for plan in plans]
    is_padded = {id(plan): _padded_frames(plan) for plan in plans}
    with contextlib.ExitStack() as opened:
        pictures = opened.enter_context(contextlib.closing(film.pictures()))
        writers = [
            (
                plan,
                draw,
                opened.enter_context(
                    mp4_writer(
                        path,
                        film.frame_rate_hz,
                        film.sound_path,
                        film.start_seconds,
                        film.pixel_aspect,
                        copy_sound=True,
                    )
                ),
            )
            for plan, path, draw in jobs
        ]
        num_frames = len(plans[0].seconds)
        for index, picture in enumerate(read_ahead(pictures, PICTURES_AHEAD)):
            frame = min(index, num_frames - 1)
            for plan, draw, add in writers:
                shown = draw(picture.pixels, plan, frame, bool(is_padded[id(plan)][frame]))
                add(shown, picture.seconds, picture.duration_seconds)
            advance(1)


def _padded_frames(plan: Plan) -> np.ndarray:
    """Returns whether each frame is padded: bool [N]."""
    padded = np.zeros(len(plan.seconds), bool)
    for shot in plan.shots:
        padded[shot.first : shot.end] = shot.padded
    return padded
