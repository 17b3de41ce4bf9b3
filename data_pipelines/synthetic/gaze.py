"""Draws where people look in a synthetic film: at the object that sounds, with human inaccuracy."""

import numpy as np

from data_pipelines.synthetic.plan import FilmPlan

NUM_OBSERVERS = 12
REACTION_FRAMES = (2, 3)  # from the change of the sounding object to the change of gaze
SCATTER_TO_RADIUS = 0.35  # std of gaze around the object's centre; half of the variance is constant, half jitter
DISTRACTED = 0.12  # share of samples that follow the centre bias instead
CENTRE_BIAS_TO_SIZE = 0.18  # std to the frame's width and height
NO_DATA = 0.05  # blinks and lost tracks
FEWEST_FIXATIONS = 4  # a frame


def gaze_points(plan: FilmPlan) -> np.ndarray:
    """Returns gaze [T, observers, 2], (x, y) in whole pixels, NaN where data are missing. Every frame has gaze."""
    rng = plan.random("gaze")
    shape = (plan.num_frames, NUM_OBSERVERS)
    frames = np.arange(plan.num_frames)[:, None]
    lags = rng.choice(REACTION_FRAMES, size=NUM_OBSERVERS)
    attended = plan.schedule[np.maximum(frames - lags, 0)]  # [T, observers]
    scatter = SCATTER_TO_RADIUS / np.sqrt(2) * plan.radii[attended][..., None]
    offsets = rng.normal(size=(NUM_OBSERVERS, 2)) + rng.normal(size=(*shape, 2))
    points = plan.trajectories[frames, attended] + scatter * offsets

    size = np.array(plan.frame_size)
    strays = (size - 1) / 2 + CENTRE_BIAS_TO_SIZE * size * rng.normal(size=(*shape, 2))
    points = np.where(rng.random(shape)[..., None] < DISTRACTED, strays, points)
    points = np.clip(np.round(points), 0, size - 1)

    presence = rng.random(shape)
    kept = (presence > NO_DATA) | (np.argsort(np.argsort(-presence, axis=1), axis=1) < FEWEST_FIXATIONS)
    return np.where(kept[..., None], points, np.nan)
