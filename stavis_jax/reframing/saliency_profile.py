"""Sums the saliency of each frame along a side of the film, and computes the share within a window."""

import numpy as np

from stavis_jax.maps.attention import attention_mass


class SaliencyProfiles:
    """Keeps the sums of normalised maps over their columns and rows: a kilobyte per frame, enough for any crop.

    `maps.attention.attention_mass` normalises them.
    """

    def __init__(self) -> None:
        self._over_x: list[np.ndarray] = []
        self._over_y: list[np.ndarray] = []

    def add(self, saliency_map: np.ndarray) -> None:
        """Adds the map of the next frame, [h, w]. All maps have one size."""
        mass = attention_mass(saliency_map)
        self._over_x.append(mass.sum(axis=0).astype(np.float32))
        self._over_y.append(mass.sum(axis=1).astype(np.float32))

    def along(self, axis: str) -> np.ndarray:
        """Returns the profiles along "x", [N, w], or "y", [N, h]. Each row sums to 1."""
        return np.stack(self._over_x if axis == "x" else self._over_y)


def share_in_window(profiles: np.ndarray, starts: np.ndarray, length: float) -> np.ndarray:
    """Returns the share of saliency in windows.

    Args:
      profiles: [N, S].
      starts: where the windows start, as shares of the side: [P] for the same windows in all frames, or [N, 1] for one
        window a frame.
      length: of the windows, as a share of the side.

    Returns:
      float64 [N, P], or [N, 1].
    """
    num_frames, size = profiles.shape
    summed = np.zeros((num_frames, size + 1))
    np.cumsum(profiles, axis=1, out=summed[:, 1:])
    rows = np.arange(num_frames)[:, None]

    def up_to(edges: np.ndarray) -> np.ndarray:
        places = np.broadcast_to(np.clip(edges, 0, 1) * size, (num_frames, np.shape(edges)[-1]))
        below = np.minimum(places.astype(int), size - 1)
        part = places - below
        return summed[rows, below] * (1 - part) + summed[rows, below + 1] * part

    return np.clip(up_to(starts + length) - up_to(starts), 0, 1)
