"""Approximates a grid of QP offsets by a few boxes, for encoders that take boxes."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stavis_jax.outputs.encoders.qp_offsets import HIGHEST, QP_PER_HALVED_BITS, BlockGrid

MOST_BOXES = 4
LEAST_GAIN = 1.0  # QP; blocks with less are not worth a box


class QpBox(NamedTuple):
    """A box in pixels, and its offset of QP."""

    x: int
    y: int
    width: int
    height: int
    offset: float


def roi_boxes(offsets: np.ndarray, grid: BlockGrid) -> list[QpBox]:
    """Returns boxes from the most salient one to the whole picture. Where boxes overlap, the first one counts.

    Each box but the last encloses what is left of the most salient blocks. Its offset is the mean of its blocks that
    are in no earlier box. The offset of the whole picture, which counts for the rest, keeps `relative_bits` at 1.

    Args:
      offsets: see `qp_offsets`, [rows, columns].
      grid: the blocks.
    """
    free = np.ones(grid.shape, bool)
    boxes: list[QpBox] = []
    bits = 0.0
    while len(boxes) < MOST_BOXES:
        gain = np.where(free, -offsets, 0)
        highest = float(gain.max())
        if highest < LEAST_GAIN:
            break
        rows, columns = _richest_box(np.where(free, gain - highest / 2, 0) * grid.area)
        inside = np.zeros(grid.shape, bool)
        inside[rows, columns] = True
        inside &= free
        free &= ~inside
        weights = grid.area[inside]
        offset = float((offsets[inside] * weights).sum() / weights.sum())
        bits += float(weights.sum()) * 2 ** (-offset / QP_PER_HALVED_BITS)
        boxes.append(_box_of(grid, rows, columns, offset))
    rest = float(grid.area[free].sum())
    offset = 0.0
    if boxes and rest > 0:
        offset = HIGHEST if bits >= 1 else min(HIGHEST, -QP_PER_HALVED_BITS * math.log2((1 - bits) / rest))
    return [*boxes, _box_of(grid, slice(0, grid.shape[0]), slice(0, grid.shape[1]), offset)]


class Stretch(NamedTuple):
    """A part of a film with the same boxes.

    Attributes:
      first: its first frame, from 0.
      seconds: time of that frame, by FFmpeg's clock.
      boxes: see `roi_boxes`.
    """

    first: int
    seconds: float
    boxes: Sequence[QpBox]


def filter_script(stretches: Sequence[Stretch], qp_range: int = 51) -> str:
    """Returns a filter graph of FFmpeg, [0:v] to [out], that gives each stretch of a film its boxes.

    Every frame keeps its time. The filter `concat` would move stretches to the end of the one before, which it only
    estimates, so `setpts` puts the first frame of each stretch back to its time.

    Args:
      stretches: the parts of the film.
      qp_range: QP for an offset of 1 in the filter addroi: 51 in H.264 and HEVC.
    """
    filters = [
        ",".join(
            f"addroi={box.x}:{box.y}:{box.width}:{box.height}:qoffset={round(10 * box.offset)}/{10 * qp_range}"
            for box in stretch.boxes
        )
        for stretch in stretches
    ]
    if len(filters) == 1:
        return f"[0:v]{filters[0]}[out]\n"
    ends = "|".join(str(stretch.first) for stretch in stretches[1:])
    numbers = range(len(filters))
    lines = [f"[0:v]segment=frames={ends}{''.join(f'[s{number}]' for number in numbers)};"]
    lines += [f"[s{number}]setpts=PTS-STARTPTS,{filters[number]}[r{number}];" for number in numbers]
    lines += [f"{''.join(f'[r{number}]' for number in numbers)}concat=n={len(filters)}[joined];"]
    begins = "+".join(f"eq(N,{stretch.first})" for stretch in stretches)
    seconds = "+".join(f"eq(N,{stretch.first})*{stretch.seconds:.6f}" for stretch in stretches)
    lines += [f"[joined]setpts='round(if({begins},({seconds})/TB,PREV_OUTPTS+PTS-PREV_INPTS))'[out]"]
    return "\n".join(lines) + "\n"


def _richest_box(gains: np.ndarray) -> tuple[slice, slice]:
    """Returns the rows and columns of the box with the largest sum of gains [rows, columns]."""
    best, found = -math.inf, (slice(0, 1), slice(0, 1))
    below = np.vstack([np.zeros(gains.shape[1]), gains.cumsum(axis=0)])
    for top in range(gains.shape[0]):
        sums = below[top + 1 :] - below[top]  # of each column, down to every row
        total = np.pad(sums.cumsum(axis=1), ((0, 0), (1, 0)))
        lowest = np.minimum.accumulate(total[:, :-1], axis=1)
        row, end = np.unravel_index((total[:, 1:] - lowest).argmax(), sums.shape)
        if total[row, end + 1] - lowest[row, end] > best:
            best = total[row, end + 1] - lowest[row, end]
            start = int(total[row, : end + 1].argmin())
            found = slice(top, top + int(row) + 1), slice(start, int(end) + 1)
    return found


def _box_of(grid: BlockGrid, rows: slice, columns: slice, offset: float) -> QpBox:
    top, bottom = (int(grid.edges[0][place]) for place in (rows.start, rows.stop))
    left, right = (int(grid.edges[1][place]) for place in (columns.start, columns.stop))
    return QpBox(left, top, right - left, bottom - top, offset)
