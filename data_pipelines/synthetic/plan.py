"""Plans a synthetic film: which objects it has, where they move, and which of them sounds when.

Only the sound shows what people look at. Motion and schedule are drawn independently, all objects of a film move at the
same speed, and each one sounds for about the same time.
"""

import itertools
from dataclasses import dataclass

import numpy as np

KINDS = ("hum", "warble", "hiss", "knock")  # each has one look (scene.py) and one sound (sound.py)

SEGMENT_SECONDS = (1.0, 2.0)  # how long an object sounds before another one takes over
RADIUS_TO_SIDE = (0.11, 0.14)  # ratio of the object's radius to the frame's shorter side
SPEED_TO_SIDE = (0.25, 0.45)  # ratio of the path per second to the frame's shorter side
MARGIN_TO_RADIUS = 1.6  # smallest distance from an object to the border
SEPARATION_TO_DIAMETER = 1.3  # smallest distance between two objects' centres
STEPS_PER_FRAME = 4  # objects move in such steps


@dataclass(frozen=True)
class FilmPlan:
    """The plan of a film of N objects and T frames. Positions are (x, y) in pixels; whole numbers are pixel centres."""

    seed: int
    number: int  # from 1, as in the film's name
    kinds: tuple[str, ...]  # N names from KINDS
    radii: np.ndarray  # [N], pixels
    trajectories: np.ndarray  # [T, N, 2], pixels
    schedule: np.ndarray  # [T], index of the object that sounds
    fps: float
    frame_size: tuple[int, int]  # (width, height), pixels

    @property
    def name(self) -> str:
        return f"film_{self.number:03d}"

    @property
    def num_frames(self) -> int:
        return len(self.schedule)

    @property
    def seconds(self) -> float:
        return self.num_frames / self.fps

    def random(self, stream: str) -> np.random.Generator:
        """Returns a random generator for one purpose, so that no part of the film depends on the draws of another."""
        return np.random.default_rng([self.seed, self.number, *stream.encode()])


def film_plan(
    seed: int, number: int, *, num_frames: int = 80, fps: float = 25, frame_size: tuple[int, int] = (160, 120)
) -> FilmPlan:
    """Returns the plan of film `number`, counted from 1. The same arguments give the same plan.

    Raises:
      ValueError: `number` is below 1.
    """
    if number < 1:
        raise ValueError(f"films are numbered from 1, found {number}")
    rng = np.random.default_rng([seed, number])
    kinds = tuple(rng.permutation(_kinds_of_film(seed, number)).tolist())
    side = min(frame_size)
    radii = rng.uniform(*RADIUS_TO_SIDE, size=len(kinds)) * side
    speed = rng.uniform(*SPEED_TO_SIDE) * side / fps
    trajectories = _trajectories(radii, speed, num_frames, frame_size, rng)
    schedule = _schedule(len(kinds), num_frames, fps, rng)
    return FilmPlan(seed, number, kinds, radii, trajectories, schedule, fps, frame_size)


def _kinds_of_film(seed: int, number: int) -> tuple[str, ...]:
    """Returns the kinds of a film. Every eight films hold each of the six pairs once, and two different triples."""
    group, place = divmod(number - 1, 8)
    rng = np.random.default_rng([seed, group, *b"kinds"])
    pairs = list(itertools.combinations(KINDS, 2))
    triples = list(itertools.combinations(KINDS, 3))
    casts = pairs + [triples[i] for i in rng.choice(len(triples), size=2, replace=False)]
    return casts[rng.permutation(len(casts))[place]]


def _schedule(num_objects: int, num_frames: int, fps: float, rng: np.random.Generator) -> np.ndarray:
    """Returns the object that sounds in each frame, int [T]: rounds in random order, no object twice in a row."""
    shortest, longest = (seconds * fps for seconds in SEGMENT_SECONDS)
    num_rounds = max(1, round(num_frames / (num_objects * (shortest + longest) / 2)))
    order: list[int] = []
    while len(order) < num_rounds * num_objects:
        one_round = rng.permutation(num_objects).tolist()
        if not order or one_round[0] != order[-1]:
            order += one_round
    mean = num_frames / len(order)
    spread = max(0.0, min(mean - shortest, longest - mean, 0.3 * mean))  # 0 if a round lasts less than a second
    deviations = rng.uniform(-1, 1, size=len(order))
    deviations -= deviations.mean()
    deviations /= max(1.0, np.abs(deviations).max())
    ends = np.cumsum(mean + spread * deviations)
    segments = np.searchsorted(np.round(ends[:-1]), np.arange(num_frames), side="right")
    return np.array(order)[segments]


def _trajectories(
    radii: np.ndarray, speed: float, num_frames: int, frame_size: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Returns paths [T, N, 2] of constant speed (pixels per frame) that bounce off the border and each other."""
    num_objects = len(radii)
    low = (radii * MARGIN_TO_RADIUS)[:, None]
    high = np.array(frame_size) - 1 - low
    separation = {
        (i, j): SEPARATION_TO_DIAMETER * (radii[i] + radii[j]) for i, j in itertools.combinations(range(num_objects), 2)
    }
    position = _start(low, high, separation, rng)
    angle = rng.uniform(0, 2 * np.pi, size=num_objects)
    velocity = speed / STEPS_PER_FRAME * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    trajectories = np.empty((num_frames, num_objects, 2))
    for frame in range(num_frames):
        trajectories[frame] = position
        for _ in range(STEPS_PER_FRAME):
            for (i, j), distance in separation.items():
                away = position[i] - position[j]
                gap = np.hypot(*away)
                if gap < distance:
                    _turn_away(velocity[i], away / gap)
                    _turn_away(velocity[j], -away / gap)
            velocity = np.where(position < low, np.abs(velocity), velocity)
            velocity = np.where(position > high, -np.abs(velocity), velocity)
            position = position + velocity
    return np.clip(trajectories, low, high)


def _turn_away(velocity: np.ndarray, away: np.ndarray) -> None:
    """Reflects, in place, a velocity that does not point along `away`, a unit vector. The speed stays the same."""
    towards = -(velocity @ away)
    if towards > 0:
        velocity += 2 * towards * away


def _start(
    low: np.ndarray, high: np.ndarray, separation: dict[tuple[int, int], float], rng: np.random.Generator
) -> np.ndarray:
    """Returns [N, 2], uniform positions inside the frame that keep their distance from each other."""
    while True:
        position = rng.uniform(low, high)
        if all(np.hypot(*(position[i] - position[j])) > distance for (i, j), distance in separation.items()):
            return position
