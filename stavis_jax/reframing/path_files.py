"""Writes the path of a crop as CSV and JSON."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from data_pipelines.runtime import atomic
from stavis_jax.reframing.plan import Plan

DECIMALS = 4  # of pixels


class PathRow(NamedTuple):
    """The crop of one frame. Fields are columns of the table.

    Attributes:
      frame: number, from 1.
      seconds: time since the first frame.
      x, y, width, height: what is shown, in pixels of the film, upright; x and y are of its upper left corner and not
        rounded. A padded frame shows the whole film.
      shot: number of its shot, from 1.
      padded: 1 if the whole picture is shown on a background.
    """

    frame: int
    seconds: float
    x: float
    y: float
    width: int
    height: int
    shot: int
    padded: int


def path_rows(plan: Plan) -> Iterator[PathRow]:
    """Yields the row of each frame."""
    for shot in plan.shots:
        for index in range(shot.first, shot.end):
            (x, y), (width, height) = plan.corner(index), plan.size
            if shot.padded:
                (x, y), (width, height) = (0, 0), plan.film_size
            seconds = round(float(plan.seconds[index]), 6)
            x, y = round(x, DECIMALS), round(y, DECIMALS)
            yield PathRow(index + 1, seconds, x, y, width, height, shot.number, int(shot.padded))


def write_csv(path: Path, plan: Plan) -> None:
    """Writes the rows as a table."""
    rows = (
        row._replace(seconds=f"{row.seconds:.6f}", x=f"{row.x:.{DECIMALS}f}", y=f"{row.y:.{DECIMALS}f}")  # type: ignore[arg-type]
        for row in path_rows(plan)
    )
    atomic.write_csv(path, PathRow._fields, rows)


def write_json(path: Path, plan: Plan) -> None:
    """Writes the sizes, the shots with the share of saliency that they keep, and the rows as lists."""
    shots = [
        {
            "shot": shot.number,
            "first_frame": shot.first + 1,
            "last_frame": shot.end,
            "start_seconds": round(shot.start_seconds, 6),
            "end_seconds": round(shot.end_seconds, 6),
            "kept_by_crop": round(shot.kept, 4),
            "kept_by_center_crop": round(shot.kept_by_center, 4),
            "padded": shot.padded,
        }
        for shot in plan.shots
    ]
    content = {
        "ratio": plan.ratio.text,
        "film_size": list(plan.film_size),
        "size": list(plan.size),
        "background": plan.background,
        "shots": shots,
        "columns": list(PathRow._fields),
        "frames": [list(row) for row in path_rows(plan)],
    }
    atomic.write_text(path, json.dumps(content) + "\n")
