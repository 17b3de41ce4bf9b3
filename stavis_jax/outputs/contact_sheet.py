"""A film at a glance: frames from its beginning to its end, each with its overlay and its time."""

import dataclasses
from pathlib import Path

import numpy as np
from PIL import Image

from stavis_jax.maps.overlays import COLORMAP, OPACITY, blend
from stavis_jax.maps.pictures import saliency_picture
from stavis_jax.outputs.captions import grid_shape, write_label
from stavis_jax.outputs.sinks import PictureReader, ShownFilm
from stavis_jax.prediction.frame_prediction import FramePrediction

NUM_FRAMES = 12
MOST_FRAMES = 200  # what is kept for them fills up to a gigabyte
LONG_SIDE = 320  # of a frame on the sheet, pixels
KEPT = 8  # times as many frames are kept as are shown, so that a shown one is never far from where it should be
GAP, GROUND = 12, 24  # pixels and grey level around the pairs


@dataclasses.dataclass(frozen=True)
class _Pair:
    number: int  # of the frame
    seconds: float
    frame: np.ndarray  # uint8 [h, w, 3]
    overlay: np.ndarray  # likewise


class ContactSheet:
    """contact-sheet.png: the middle frames of `num_frames` equal parts of the film, overlays below (or beside) them.

    How long the film is shows at its end. Until then every n-th frame is kept, with n doubling whenever there are
    too many; those nearest to the middles are shown.
    """

    def __init__(
        self,
        path: Path,
        film: ShownFilm,
        num_frames: int = NUM_FRAMES,
        colormap: str = COLORMAP,
        opacity: float = OPACITY,
    ):
        self.path, self.num_frames = path, num_frames
        self.colormap, self.opacity = colormap, opacity
        self._pictures = PictureReader(film)
        scale = LONG_SIDE / max(film.width, film.height)
        self._size = max(1, round(film.width * scale)), max(1, round(film.height * scale))
        self._kept: list[_Pair] = []
        self._every = 1
        self._num_seen = 0

    def add(self, prediction: FramePrediction) -> None:
        picture = self._pictures.next()
        if picture is None:
            return
        self._num_seen = prediction.number
        if (prediction.number - 1) % self._every:
            return
        if len(self._kept) == KEPT * self.num_frames:
            self._kept = self._kept[::2]
            self._every *= 2
            if (prediction.number - 1) % self._every:
                return
        frame = np.asarray(Image.fromarray(picture.pixels).resize(self._size, Image.Resampling.LANCZOS))
        level = saliency_picture(prediction.saliency, self._size)
        overlay = blend(frame, level, self.colormap, self.opacity)
        self._kept.append(_Pair(prediction.number, prediction.seconds, frame, overlay))

    def finish(self) -> None:
        self._pictures.close()
        if self._kept:
            Image.fromarray(_sheet(self._shown())).save(self.path)

    def close(self) -> None:
        self._pictures.close()
        self._kept = []

    def _shown(self) -> list[_Pair]:
        """Those nearest to the middles of equal parts; each once, in order."""
        middles = (np.arange(self.num_frames) + 0.5) * self._num_seen / self.num_frames + 0.5  # frame numbers
        numbers = np.array([pair.number for pair in self._kept])
        nearest = np.abs(numbers[None] - middles[:, None]).argmin(axis=1)
        return [self._kept[index] for index in np.unique(nearest)]


def _sheet(pairs: list[_Pair]) -> np.ndarray:
    """uint8 [H, W, 3]."""
    height, width = pairs[0].frame.shape[:2]
    axis = 0 if width >= height else 1
    cells = []
    for pair in pairs:
        frame = write_label(pair.frame, clock_time(pair.seconds))
        cells.append(np.concatenate([frame, pair.overlay], axis))
    cell_height, cell_width = (length + GAP for length in cells[0].shape[:2])
    columns, rows = grid_shape(len(cells), (cell_width, cell_height))
    sheet = np.full((rows * cell_height + GAP, columns * cell_width + GAP, 3), GROUND, np.uint8)
    for index, cell in enumerate(cells):
        row, column = divmod(index, columns)
        top, left = GAP + row * cell_height, GAP + column * cell_width
        sheet[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
    return sheet


def clock_time(seconds: float) -> str:
    """75.25 -> 1:15.2; from an hour on 1:01:15."""
    tenths = int(seconds * 10 + 1e-6)  # as clocks do: a time is shown once it has come
    minutes, rest = divmod(tenths, 600)
    if minutes < 60:
        return f"{minutes}:{rest // 10:02d}.{rest % 10}"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest // 10:02d}"
