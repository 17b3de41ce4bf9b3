"""Reads named regions of a film, fixed or moving, from a JSON file of boxes."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.json_files import read_object

UNITS = ("pixels", "share")
MOST_REGIONS = 50
LONGEST_NAME = 100
ADVICE = "docs/regions.md shows the format."
BEYOND = 1e-6  # shares; a box may leave the film by the rounding of its numbers

Box = tuple[float, float, float, float]  # x and y of the upper left corner, width, height


@dataclass(frozen=True)
class Region:
    """A named box, fixed or moving.

    Attributes:
      name: of the region.
      seconds: times of the keyframes, strictly rising, since the film's first frame; (0.0,) if the region is fixed.
      boxes: the box at each keyframe, in the unit of the file. Between keyframes a box moves linearly; before the first
        one and after the last one it stands still.
      first_second, end_second: the region is part of the film from the one until the other.
    """

    name: str
    seconds: tuple[float, ...]
    boxes: tuple[Box, ...]
    first_second: float = 0.0
    end_second: float = math.inf

    def box_at(self, seconds: float) -> Box | None:
        """Returns the box at a time, or None while the region is not part of the film."""
        if not self.first_second <= seconds < self.end_second:
            return None
        x, y, width, height = (float(np.interp(seconds, self.seconds, side)) for side in zip(*self.boxes, strict=True))
        return x, y, width, height


@dataclass(frozen=True)
class Regions:
    """The regions of a file.

    Attributes:
      path: the file, for messages.
      unit: "pixels" of the film, or "share" of its width and height.
      regions: at least one, with different names.
    """

    path: str
    unit: str
    regions: tuple[Region, ...]

    def digest(self) -> str:
        """Returns a text that is the same for equal regions only."""
        return hashlib.sha256(repr((self.unit, self.regions)).encode()).hexdigest()[:16]

    def in_shares(self, film_size: tuple[int, int]) -> tuple[Region, ...]:
        """Returns the regions with boxes in shares of the film's (width, height) in pixels.

        Raises:
          UserError: a box is not within the film.
        """
        scale = np.array([*film_size, *film_size] if self.unit == "pixels" else [1.0] * 4)
        scaled = []
        for region in self.regions:
            boxes = np.array(region.boxes) / scale
            for seconds, box, given in zip(region.seconds, boxes, region.boxes, strict=True):
                if self.unit == "pixels" and max(given) <= 1:
                    raise UserError(
                        f"{self.path}: region {region.name!r}: the box {list(given)} is within one pixel. Give pixels, "
                        "or set 'unit' to 'share'."
                    )
                if min(box[:2]) < -BEYOND or max(box[:2] + box[2:]) > 1 + BEYOND:
                    when = f" at {seconds:g} s" if len(boxes) > 1 else ""
                    film, unit = "", "shares from 0 to 1"
                    if self.unit == "pixels":
                        film, unit = f" of {film_size[0]}x{film_size[1]} pixels", "pixels"
                    raise UserError(
                        f"{self.path}: region {region.name!r}: the box {list(given)}{when} is not within the "
                        f"film{film}. Give [x, y, width, height] in {unit}."
                    )
            rounded = tuple((x, y, width, height) for x, y, width, height in boxes.tolist())
            scaled.append(Region(region.name, region.seconds, rounded, region.first_second, region.end_second))
        return tuple(scaled)


def read_regions(path: Path) -> Regions:
    """Reads a file of regions.

    Raises:
      UserError: the file cannot be read, or does not have the format of docs/regions.md.
    """
    content = read_object(path, ADVICE)
    _check_keys(path, "the file", content, {"unit", "regions"})
    for key in ("unit", "regions"):
        if key not in content:
            raise _error(path, f"has no {key!r}")
    if content["unit"] not in UNITS:
        raise _error(path, f"unit {content['unit']!r} is not known: give {' or '.join(UNITS)}")
    given = content["regions"]
    if not isinstance(given, dict) or not given:
        raise _error(path, "'regions' must be an object of names and their boxes, with at least one name")
    if len(given) > MOST_REGIONS:
        raise _error(path, f"has {len(given)} regions, more than {MOST_REGIONS}")
    return Regions(str(path), content["unit"], tuple(_region(path, name, given[name]) for name in given))


def _region(path: Path, name: str, given: Any) -> Region:
    where = f"region {name!r}"
    if not name.strip():
        raise _error(path, "a region has no name")
    if not name.isprintable() or len(name) > LONGEST_NAME:  # tables and plots cannot hold every name
        raise _error(path, f"{where}: a name must have at most {LONGEST_NAME} printable characters, and no line break")
    if not isinstance(given, dict):
        raise _error(path, f"{where}: must be an object with 'box' or 'keyframes'")
    _check_keys(path, where, given, {"box", "keyframes", "from", "until"})
    if ("box" in given) == ("keyframes" in given):
        raise _error(path, f"{where}: must have either 'box' or 'keyframes'")
    first = _seconds(path, f"{where}: 'from'", given.get("from", 0))
    end = _seconds(path, f"{where}: 'until'", given["until"]) if "until" in given else math.inf
    if end <= first:
        raise _error(path, f"{where}: 'until' {end:g} is not after 'from' {first:g}")
    if "box" in given:
        return Region(name, (0.0,), (_box(path, where, given["box"]),), first, end)
    seconds, boxes = _keyframes(path, where, given["keyframes"])
    return Region(name, seconds, boxes, first, end)


def _keyframes(path: Path, where: str, given: Any) -> tuple[tuple[float, ...], tuple[Box, ...]]:
    """Returns the times and boxes of keyframes."""
    if not isinstance(given, list) or not given:
        raise _error(path, f"{where}: 'keyframes' must be a list with at least one keyframe")
    seconds: list[float] = []
    boxes = []
    for number, keyframe in enumerate(given, start=1):
        place = f"{where}, keyframe {number}"
        if not isinstance(keyframe, dict):
            raise _error(path, f"{place}: must be an object with 'seconds' and 'box'")
        _check_keys(path, place, keyframe, {"seconds", "box"})
        for key in ("seconds", "box"):
            if key not in keyframe:
                raise _error(path, f"{place}: has no {key!r}")
        seconds.append(_seconds(path, f"{place}: 'seconds'", keyframe["seconds"]))
        boxes.append(_box(path, place, keyframe["box"]))
        if number > 1 and seconds[-1] <= seconds[-2]:
            raise _error(path, f"{place}: {seconds[-1]:g} s is not after {seconds[-2]:g} s of the keyframe before")
    return tuple(seconds), tuple(boxes)


def _box(path: Path, where: str, given: Any) -> Box:
    if not isinstance(given, list) or len(given) != 4 or not all(map(_is_number, given)):
        raise _error(path, f"{where}: the box must be four numbers [x, y, width, height]")
    x, y, width, height = map(float, given)
    if width <= 0 or height <= 0:
        raise _error(path, f"{where}: the box {given} has no area")
    return x, y, width, height


def _seconds(path: Path, where: str, given: Any) -> float:
    if not _is_number(given) or given < 0:
        raise _error(path, f"{where} must be a time in seconds, 0 or later")
    return float(given)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e9  # NaN is no number either


def _check_keys(path: Path, where: str, given: Mapping[str, Any], known: set[str]) -> None:
    for key in given:
        if key not in known:
            raise _error(path, f"{where}: {key!r} is not known. It may have {', '.join(sorted(known))}")


def _error(path: Path, fault: str) -> UserError:
    return UserError(f"{path}: {fault}. {ADVICE}")
