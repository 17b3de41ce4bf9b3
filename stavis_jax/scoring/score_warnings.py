"""Warnings about scored maps: what is left out, what looks wrong."""

import collections
import math
from collections.abc import Iterable, Sequence

import numpy as np
from rich.console import Console

from data_pipelines.runtime.errors import one_line
from stavis_jax.scoring.aggregation import VideoScores

NAMED_IN_A_WARNING = 3
ASPECT_TOLERANCE = 0.1
COLOURED = "maps are coloured: only their red channel is scored"
BLACK = "maps are black everywhere: no metric has a value there"
CONSTANT = "maps are constant: CC, NSS, sAUC, SIM and IG have no value there"
STRETCHED = "maps differ in aspect ratio from their frame by more than a tenth and are stretched"
WITHOUT_GAZE = "frames have an empty density map: SIM counts them as 0, as the original does, the others leave them out"


def frame_doubts(prediction: np.ndarray, density_map: np.ndarray, coloured: bool) -> list[str]:
    """Returns the problems of a frame that can still be scored."""
    (height, width), (density_height, density_width) = prediction.shape, density_map.shape
    aspect = (width / height) / (density_width / density_height)
    square = height == width  # the network's own maps: it squeezes every frame into a square
    constant = prediction.min() == prediction.max()
    found = {
        COLOURED: coloured,
        BLACK: constant and not prediction.any(),
        CONSTANT: constant and prediction.any(),
        STRETCHED: not square and not 1 - ASPECT_TOLERANCE <= aspect <= 1 / (1 - ASPECT_TOLERANCE),
        WITHOUT_GAZE: not density_map.any(),
    }
    return [doubt for doubt, applies in found.items() if applies]


def warnings_of(
    scores: Iterable[VideoScores], missing: Sequence[str] = (), unknown_folders: Sequence[str] = ()
) -> list[str]:
    """Returns one line for each kind of problem, with a count and the first names.

    Args:
        missing: test videos without maps.
        unknown_folders: folders of maps that belong to no test video.
    """
    without_map, without_annotation, empty, undefined = [], [], [], []
    doubts: dict[str, list[str]] = collections.defaultdict(list)
    for video in scores:
        name = split_name(video)
        without_map += [name] * video.frames_without_map
        without_annotation += [name] * video.frames_without_annotation
        for doubt, count in video.doubts.items():
            doubts[doubt] += [name] * count
        without_value = [metric for metric, mean in video.means().items() if math.isnan(mean)]
        if not video.frames.size:
            empty.append(name)
        elif without_value:
            undefined.append(f"{name} {', '.join(without_value)}")
    kinds = {
        "test videos have no maps and are left out": missing,
        "folders belong to no test video and are left out": unknown_folders,
        "videos have no frame to score and are left out": empty,
        "frames have no map and are left out": without_map,
        "frames have no annotation and are left out": without_annotation,
        "videos have a metric without a value, and so has their database": undefined,
        **doubts,
    }
    return [counted(names, what) for what, names in kinds.items() if names]


def counted(names: Sequence[str], what: str) -> str:
    """Returns a line such as "7 maps are black: a; b; c; ..."."""
    distinct = list(dict.fromkeys(names))
    more = "; ..." if len(distinct) > NAMED_IN_A_WARNING else ""
    return f"{len(names)} {what}: {'; '.join(distinct[:NAMED_IN_A_WARNING])}{more}"


def split_name(video) -> str:
    """Returns the name of a video with its split. `video`: VideoScores or PredictedVideo."""
    return f"{video.database}/{video.video} (split {video.split})"


def print_warnings(warnings: Iterable[str], console: Console) -> None:
    for warning in warnings:
        console.print(f"warning: {one_line(warning)}", style="yellow", markup=False, highlight=False, soft_wrap=True)
