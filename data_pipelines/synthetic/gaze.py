"""Where people look in a synthetic film: at the object that sounds, with human inaccuracy."""

import numpy as np
from scipy import ndimage

from data_pipelines.synthetic.plan import FilmPlan

NUM_OBSERVERS = 12
REACTION_FRAMES = (2, 3)  # from the change of the sounding object to the change of gaze
SCATTER_TO_RADIUS = 0.35  # std of gaze around the object's centre: half of its variance is steady, half jitter
DISTRACTED = 0.12  # share of samples that follow the centre bias instead
CENTRE_BIAS_TO_SIZE = 0.18  # std to the frame's width and height
NO_DATA = 0.05  # blinks and lost tracks
FEWEST_FIXATIONS = 4  # a frame
SIGMA_TO_SIDE = 0.05  # blur of the density map


def gaze_points(plan: FilmPlan) -> np.ndarray:
    """Gaze [T, observers, 2], (x, y) in whole pixels, NaN where an observer gave no data. No frame is without gaze."""
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


def fixation_map(points: np.ndarray, frame_size: tuple[int, int]) -> np.ndarray:
    """uint8 [H, W] with 1 at each gaze point of `points` [observers, 2], (x, y) in pixels, NaN for none."""
    return (_counts(points, frame_size) > 0).astype(np.uint8)


def density_map(points: np.ndarray, frame_size: tuple[int, int]) -> np.ndarray:
    """uint8 [H, W]: a Gaussian around each gaze point of `points` [observers, 2], scaled to a maximum of 255."""
    density = ndimage.gaussian_filter(_counts(points, frame_size), SIGMA_TO_SIDE * min(frame_size), mode="constant")
    return np.round(255 * density / density.max()).astype(np.uint8)


def _counts(points: np.ndarray, frame_size: tuple[int, int]) -> np.ndarray:
    """float64 [H, W]: how many gaze points each pixel has."""
    width, height = frame_size
    x, y = points[~np.isnan(points[:, 0])].astype(int).T
    counts = np.zeros((height, width))
    np.add.at(counts, (y, x), 1)
    return counts
