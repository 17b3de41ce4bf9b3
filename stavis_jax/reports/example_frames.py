"""Finds the best and worst frames of a method and draws them."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw

from data_pipelines.drawing.heat import COLORMAP
from data_pipelines.raw.layout import RawLayout, read_frame
from data_pipelines.runtime.errors import UserError
from data_pipelines.shards.annotations import AnnotationSource
from data_pipelines.shards.reader import Shards
from stavis_jax.maps.pictures import saliency_picture
from stavis_jax.scoring.aggregation import Results, VideoScores
from stavis_jax.scoring.protocol import FIRST_SCORED_FRAME, PredictedVideo

WIDTH = 320  # pixels
DOT, RING = (255, 221, 0), (0, 0, 0)

# (database, video, 1-based frame number) -> film frame, uint8 RGB [H, W, 3], or None
FrameReader = Callable[[str, str, int], np.ndarray | None]


@dataclasses.dataclass(frozen=True)
class PictureSource:
    """The source of a report's pictures.

    Attributes:
        read_frame: reads a film frame.
        annotations: recorded gaze.
        predictions: the maps that were scored.
    """

    read_frame: FrameReader
    annotations: AnnotationSource
    predictions: Sequence[PredictedVideo]


@dataclasses.dataclass(frozen=True)
class Example:
    """A frame of a video. `index`: its position among the video's scored frames."""

    video: VideoScores
    index: int

    @property
    def number(self) -> int:
        """1-based number of the frame."""
        return int(self.video.frames[self.index])

    @property
    def scores(self) -> dict[str, float]:
        return {metric: float(values[self.index]) for metric, values in self.video.values.items()}


def film_frames(data: Path) -> FrameReader:
    """Returns a reader of the film frames of a raw data folder or of shards. Those of shards are square.

    The reader returns None for a frame that is missing or damaged: its map may still have been scored.
    """
    if (data / "dataset_info.json").is_file():
        shards = Shards(data)
        films = {(film.database, film.name): index for index, film in enumerate(shards.films)}
        return lambda database, video, number: shards.read(films[database, video], number).image
    layout = RawLayout(data)

    def read(database: str, video: str, number: int) -> np.ndarray | None:
        try:
            return read_frame(layout.frame_path(database, video, number))
        except UserError:
            return None

    return read


def no_film_frames(database: str, video: str, number: int) -> np.ndarray | None:
    """Reads no frame: the reader for annotations without films."""
    return None


def middle_frames(
    read: FrameReader, annotations: AnnotationSource, predictions: Mapping[str, Sequence[PredictedVideo]], count: int
) -> dict[str, list[np.ndarray]]:
    """Returns title -> pictures of the middle frame of the first `count` videos, for `save_comparison`.

    Leaves out frames without picture or gaze.

    Args:
        predictions: method -> maps of the same videos in the same order.
    """
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("frame", "ground truth", *predictions)}
    for videos in list(zip(*predictions.values(), strict=True))[:count]:
        video = videos[0]
        number = 1 if video.is_still else max(FIRST_SCORED_FRAME, video.num_frames // 2)
        frame = read(video.database, video.video, number)
        density = annotations.density(video.database, video.video, number)
        if frame is not None and density is not None:
            maps = (of_method.maps[number] for of_method in videos)
            for name, picture in zip(columns, (frame, density, *maps), strict=True):
                columns[name].append(picture)
    return columns


def best_and_worst(results: Results, metric: str, count: int) -> tuple[list[Example], list[Example]]:
    """Returns the `count` highest and the `count` lowest frames of a metric, at most one per film.

    Higher values of the metric must be better.
    """
    scored = [video for video in results.videos if np.isfinite(video.values.get(metric, np.nan)).any()]
    best = [Example(video, int(np.nanargmax(video.values[metric]))) for video in scored]
    worst = [Example(video, int(np.nanargmin(video.values[metric]))) for video in scored]
    best.sort(key=lambda example: -example.scores[metric])
    worst.sort(key=lambda example: example.scores[metric])
    return _one_per_film(best)[:count], _one_per_film(worst)[:count]


def draw_example(source: PictureSource, example: Example) -> dict[str, np.ndarray | None]:
    """Returns title -> picture, uint8 RGB [h, w, 3], `WIDTH` pixels wide, or None where the source has none."""
    place = (example.video.database, example.video.video, example.number)
    frame, density = source.read_frame(*place), source.annotations.density(*place)
    fixations = source.annotations.fixations(*place)
    maps = {(video.database, video.split, video.video): video.maps for video in source.predictions}
    prediction = maps.get(example.video.key, {}).get(example.number)
    known = next((picture.shape[:2] for picture in (density, fixations, frame) if picture is not None), None)
    if known is None:
        return {}
    size = _size(known)
    film = None if frame is None else np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS))
    return {
        "film frame": film,
        "fixations": None if fixations is None else _dots(film, fixations, size),
        "gaze density": None if density is None else _heat(density, size),
        "prediction": None if prediction is None else _heat(prediction, size),
    }


def _one_per_film(examples: Sequence[Example]) -> list[Example]:
    """Returns the first example of each film."""
    first: dict[tuple[str, str], Example] = {}
    for example in examples:
        first.setdefault((example.video.database, example.video.video), example)
    return list(first.values())


def _size(shape: tuple[int, int]) -> tuple[int, int]:
    """Returns width and height in pixels of the pictures of a frame [H, W]."""
    height, width = shape
    return WIDTH, max(1, round(height * WIDTH / width))


def _heat(saliency_map: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns a map in colours, from its own minimum to its maximum."""
    level = saliency_picture(np.asarray(saliency_map, np.float32), size)
    return matplotlib.colormaps[COLORMAP](level, bytes=True)[..., :3]


def _dots(film: np.ndarray | None, fixations: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns the darkened film frame with a dot at every fixated pixel."""
    background = np.zeros((size[1], size[0], 3), np.uint8) if film is None else (film * 0.55).astype(np.uint8)
    picture = Image.fromarray(background)
    draw = ImageDraw.Draw(picture)
    rows, columns = np.nonzero(fixations)
    radius = max(2.0, size[0] / 110)
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        x, y = (column + 0.5) * size[0] / fixations.shape[1], (row + 0.5) * size[1] / fixations.shape[0]
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=DOT, outline=RING)
    return np.asarray(picture)
