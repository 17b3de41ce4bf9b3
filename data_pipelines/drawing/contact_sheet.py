"""A contact sheet: evenly spaced frames of a film in one picture."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from PIL import Image

from data_pipelines.drawing.picture_grid import grid_shape, tiled

LONG_SIDE = 320  # pixels of a frame on the sheet
GAP = 12  # pixels between frames
Item = TypeVar("Item")

KEPT_PER_SHOWN = 8  # even; keeping more frames brings the shown ones closer to the wanted times


class EvenSamples(Generic[Item]):
    """Keeps evenly spaced items of a sequence of unknown length, in constant memory.

    Every n-th item is kept. Whenever too many are kept, every second one is removed and n doubles.
    """

    def __init__(self, count: int):
        """`count`: how many items `middles` returns at most."""
        self._count, self._every, self._last = count, 1, 0
        self._numbers: list[int] = []
        self._items: list[Item] = []

    def __len__(self) -> int:
        return len(self._items)

    def add(self, number: int, make: Callable[[], Item]) -> None:
        """Adds item `number`, from 1. `make` is called only if the item is kept."""
        self._last = number
        if (number - 1) % self._every:
            return
        if len(self) == KEPT_PER_SHOWN * self._count:
            self._numbers, self._items = self._numbers[::2], self._items[::2]
            self._every *= 2
        self._numbers.append(number)
        self._items.append(make())

    def middles(self) -> list[Item]:
        """Returns the kept items nearest to the middles of `count` equal parts of the sequence, each once, in order."""
        wanted = (np.arange(self._count) + 0.5) * self._last / self._count + 0.5
        nearest = np.abs(np.array(self._numbers) - wanted[:, None]).argmin(axis=1)
        return [self._items[index] for index in np.unique(nearest)]


def clock_times(seconds: Sequence[float]) -> list[str]:
    """Returns times as on a clock, with more decimals where two would be the same otherwise."""
    found = []
    for decimals in (1, 2, 3):
        found = [clock_time(time, decimals) for time in seconds]
        if len(set(found)) == len(found):
            break
    return found


def clock_time(seconds: float, decimals: int = 1) -> str:
    """Returns a time as on a clock: 75.25 is 1:15.2, and 3675.9 is 1:01:15."""
    parts = 10**decimals
    minutes, rest = divmod(int(seconds * parts + 1e-6), 60 * parts)  # rounded down, as clocks do
    text = (
        f"{minutes}:{rest // parts:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest // parts:02d}"
    )
    return text if minutes >= 60 and decimals == 1 else f"{text}.{rest % parts:0{decimals}d}"


def cell_size(width: float | Fraction, height: int) -> tuple[int, int]:
    """Returns the (width, height) on a sheet of a frame of that size, in square pixels."""
    scale = LONG_SIDE / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def save_sheet(path: Path, cells: Sequence[np.ndarray]) -> None:
    """Writes pictures of one size, uint8 [h, w, 3], as one picture."""
    height, width = cells[0].shape[:2]
    columns, _ = grid_shape(len(cells), (width + GAP, height + GAP))
    Image.fromarray(tiled(cells, columns, GAP, margin=GAP)).save(path)
