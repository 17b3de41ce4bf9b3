"""Counts maps, their latency and the frames that got no map."""

import threading
import time
from collections import Counter


class Speed:
    """Latencies of the maps since `restart`. Memory holds a count for each millisecond."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.restart(0)

    def restart(self, num_frames: int) -> None:
        """`num_frames`: number of frames that the source has given so far."""
        with self._lock:
            self._since, self._frames_before = time.monotonic(), num_frames
            self._counts: Counter[int] = Counter()
            self._mapped: int | None = None
            self._num_mapped = 0

    def add(self, frame_number: int, latency_seconds: float) -> None:
        with self._lock:
            self._counts[round(latency_seconds * 1000)] += 1
            self._num_mapped += frame_number != self._mapped  # a slow source's frame may get several maps
            self._mapped = frame_number

    def line(self, num_frames: int) -> str:
        """Returns one line. `num_frames`: number of frames that the source has given so far."""
        with self._lock:
            seconds, counts, num_mapped = time.monotonic() - self._since, Counter(self._counts), self._num_mapped
        num_frames -= self._frames_before
        num_maps = counts.total()
        if not num_maps:
            return f"no map in {seconds:.0f} s, {num_frames} frames"
        median, late = (quantile(counts, share) / 1000 for share in (0.5, 0.95))
        dropped = max(0, num_frames - num_mapped) / num_frames if num_frames else 0.0
        speed = f"{num_maps / seconds:.1f} maps/s" if seconds else f"{num_maps} maps"
        return f"{speed}, latency {median:.2f} s (95% below {late:.2f} s), {dropped:.0%} of {num_frames} frames dropped"


def quantile(counts: Counter[int], share: float) -> int:
    """Returns the smallest value that at least this share of the counted values do not exceed."""
    needed, seen = share * counts.total(), 0
    for value in sorted(counts):
        seen += counts[value]
        if seen >= needed:
            return value
    raise ValueError("nothing is counted")
