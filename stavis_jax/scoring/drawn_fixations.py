"""Draws frames at random, whose fixations are the negatives of a shuffled AUC."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from stavis_jax.scoring.frame_scores import frame_generator
from stavis_jax.scoring.video_fixations import VideoFixations


@dataclasses.dataclass(frozen=True)
class DrawnFixations:
    """The negatives of each frame of a video.

    Attributes:
        pixels: 1-based frame number -> positions of the pixels in the flattened map, int64, each once.
        shape: height and width of the video's maps.
    """

    pixels: dict[int, np.ndarray]
    shape: tuple[int, int]

    def map_of(self, number: int) -> np.ndarray:
        """Returns uint8 [H, W], 1 at the negatives of a frame."""
        negatives = np.zeros(self.shape, np.uint8)
        negatives.flat[self.pixels[number]] = 1
        return negatives


def draw_fixations(
    fixations: Mapping[tuple[str, str, int], VideoFixations], film: tuple[str, str, int], num_frames: int, seed: int
) -> DrawnFixations:
    """Draws, for each frame of a film, the fixated pixels of `num_frames` frames of the films of its database.

    The frame itself may be drawn, and its film too, as in DHF1K's program. Pixels of maps of another size are scaled.
    The draws depend on the seed and the frame, and on which films there are.

    Args:
        fixations: (database, video, number of frames) -> fixations.
        film: one of these keys.
    """
    database, video, _ = film
    pool = [
        (of_film, number)
        for key, of_film in sorted(fixations.items(), key=lambda item: item[0])
        if key[0] == database
        for number in sorted(of_film.pixels)
    ]
    own = fixations[film]
    drawn = {}
    for number in own.pixels:
        rng = frame_generator(seed, database, f"{video}/negatives", number)
        chosen = [pool[place] for place in rng.choice(len(pool), min(num_frames, len(pool)), replace=False)]
        drawn[number] = np.unique(np.concatenate([of_film.pixels_on(own.shape, other) for of_film, other in chosen]))
    return DrawnFixations(drawn, own.shape)
