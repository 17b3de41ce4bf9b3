"""Writes the reframed film as an XMEML sequence, which Premiere Pro, DaVinci Resolve and Final Cut Pro 7 import.

The sequence has the size of the reframed film and one clip per shot. The clips refer to the original film. A clip's
effect Basic Motion moves and scales it: `center` is the offset of the clip's centre from that of the sequence, as a
share of the film's width and height, and `scale` a percentage.
"""

import os
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from urllib.parse import quote

import numpy as np

from data_pipelines.runtime.errors import one_line
from stavis_jax.reframing.plan import Plan, ReframedShot

TOLERANCE_PIXELS = 0.5  # of the path between keyframes, which editors interpolate linearly
SOUND_RATE_HZ = 48000  # of the sequence
_DOCTYPE = "<?xml version='1.0' encoding='UTF-8'?>\n<!DOCTYPE xmeml>\n"


@dataclass(frozen=True)
class FilmFacts:
    """Properties of the film that a sequence needs.

    Attributes:
      path: absolute path of the file.
      name: name that editors show.
      frame_rate_hz: nominal frame rate.
      has_sound: whether the film has sound.
    """

    path: Path
    name: str
    frame_rate_hz: Fraction
    has_sound: bool


def file_name(plan: Plan) -> str:
    return f"{plan.ratio.name}.xml"


def write_xmeml(path: Path, plan: Plan, film: FilmFacts) -> None:
    """Writes the sequence. Times are frame numbers at the film's nominal rate."""
    root = ET.Element("xmeml", version="4")
    sequence = ET.SubElement(root, "sequence", id="sequence-1")
    numbers = frame_numbers(plan, film.frame_rate_hz)
    _texts(sequence, name=f"{film.name} {plan.ratio.text}", duration=numbers[-1])
    _rate(sequence, film.frame_rate_hz)
    media = ET.SubElement(sequence, "media")
    video = ET.SubElement(media, "video")
    _size(ET.SubElement(ET.SubElement(video, "format"), "samplecharacteristics"), plan.size, film.frame_rate_hz)
    track = ET.SubElement(video, "track")
    for shot in plan.shots:
        clip = _clip(track, f"clip-{shot.number}", film, numbers, (shot.first, shot.end))
        _file(clip, plan, film, numbers[-1], is_first=shot.number == 1)
        ET.SubElement(clip, "filter").append(_motion(plan, shot, numbers))
    if film.has_sound:
        sound = ET.SubElement(ET.SubElement(media, "audio"), "track")
        clip = _clip(sound, "sound-1", film, numbers, (0, len(plan.seconds)))
        ET.SubElement(clip, "file", id="file-1")
        _texts(ET.SubElement(clip, "sourcetrack"), mediatype="audio", trackindex=1)
    ET.indent(root)
    path.write_text(_DOCTYPE + ET.tostring(root, encoding="unicode") + "\n", encoding="utf-8")


def frame_numbers(plan: Plan, rate_hz: Fraction) -> list[int]:
    """Returns the number of each frame at a steady rate, and that of the end: [N + 1], strictly rising."""
    times = [*plan.seconds.tolist(), plan.shots[-1].end_seconds]
    numbers: list[int] = []
    for seconds in times:
        numbers.append(max(round(seconds * rate_hz), numbers[-1] + 1 if numbers else 0))
    return numbers


def keyframes(values: np.ndarray, tolerance: float) -> Sequence[int]:
    """Returns indices between which linear interpolation differs from `values` by at most `tolerance`."""
    kept = [0]
    while kept[-1] < len(values) - 1:
        first = kept[-1]
        # The widest cone of slopes that passes all values so far; a value outside of it needs a keyframe before it.
        lowest, highest, last = -np.inf, np.inf, first + 1
        for index in range(first + 1, len(values)):
            rise, run = values[index] - values[first], index - first
            if lowest <= rise / run <= highest:
                last = index
            lowest, highest = max(lowest, (rise - tolerance) / run), min(highest, (rise + tolerance) / run)
            if lowest > highest:
                break
        kept.append(last)
    return kept


def _clip(
    parent: ET.Element, name: str, film: FilmFacts, numbers: Sequence[int], frames: tuple[int, int]
) -> ET.Element:
    clip = ET.SubElement(parent, "clipitem", id=name)
    first, end = numbers[frames[0]], numbers[frames[1]]
    _texts(clip, name=film.name, duration=numbers[-1], start=first, end=end)
    _rate(clip, film.frame_rate_hz)
    ET.SubElement(clip, "in").text, ET.SubElement(clip, "out").text = str(first), str(end)
    return clip


def _file(parent: ET.Element, plan: Plan, film: FilmFacts, duration: int, *, is_first: bool) -> None:
    """Describes the film once; later clips refer to it by its id."""
    file = ET.SubElement(parent, "file", id="file-1")
    if not is_first:
        return
    _texts(file, name=film.path.name, pathurl=f"file://localhost{quote(os.fsencode(film.path))}", duration=duration)
    _rate(file, film.frame_rate_hz)
    media = ET.SubElement(file, "media")
    video = ET.SubElement(ET.SubElement(media, "video"), "samplecharacteristics")
    _size(video, plan.film_size, film.frame_rate_hz)
    if film.has_sound:
        sound = ET.SubElement(ET.SubElement(media, "audio"), "samplecharacteristics")
        _texts(sound, depth=16, samplerate=SOUND_RATE_HZ)


def _motion(plan: Plan, shot: ReframedShot, numbers: Sequence[int]) -> ET.Element:
    effect = ET.Element("effect")
    _texts(effect, name="Basic Motion", effectid="basic", effectcategory="motion", effecttype="motion")
    _texts(effect, mediatype="video")
    scale = min(part / whole for part, whole in zip(plan.size, plan.film_size, strict=True)) if shot.padded else 1.0
    parameter = ET.SubElement(effect, "parameter")
    _texts(parameter, parameterid="scale", name="Scale", valuemin=0, valuemax=1000, value=f"{100 * scale:.3f}")
    parameter = ET.SubElement(effect, "parameter")
    _texts(parameter, parameterid="center", name="Center")
    if shot.padded:
        _center(parameter, (0.0, 0.0))
        return effect
    chosen = keyframes(plan.places[shot.first : shot.end], TOLERANCE_PIXELS)
    _center(parameter, center(plan, shot.first))
    if len(chosen) > 1 and np.ptp(plan.places[shot.first : shot.end]) > 0:
        for offset in chosen:
            keyframe = ET.SubElement(parameter, "keyframe")
            _texts(keyframe, when=numbers[shot.first + offset])
            _center(keyframe, center(plan, shot.first + offset))
    return effect


def center(plan: Plan, index: int) -> tuple[float, float]:
    """Returns the offset of the film's centre from that of the crop, as shares of the film's width and height."""
    parts = zip(plan.corner(index), plan.size, plan.film_size, strict=True)
    horizontal, vertical = ((whole / 2 - (corner + part / 2)) / whole for corner, part, whole in parts)
    return horizontal, vertical


def _center(parent: ET.Element, offset: tuple[float, float]) -> None:
    _texts(ET.SubElement(parent, "value"), horiz=f"{offset[0]:.6f}", vert=f"{offset[1]:.6f}")


def _size(parent: ET.Element, size: tuple[int, int], rate_hz: Fraction) -> None:
    _texts(parent, width=size[0], height=size[1], pixelaspectratio="square")
    _rate(parent, rate_hz)


def _rate(parent: ET.Element, rate_hz: Fraction) -> None:
    """Adds the frame rate: the next whole number, and whether the true rate is 1000/1001 of it."""
    timebase = max(1, round(rate_hz))
    is_ntsc = rate_hz != timebase and abs(rate_hz - Fraction(timebase * 1000, 1001)) < Fraction(1, 100)
    _texts(ET.SubElement(parent, "rate"), timebase=timebase, ntsc="TRUE" if is_ntsc else "FALSE")


def _texts(parent: ET.Element, **values: object) -> None:
    """Adds a child for each value."""
    for name, value in values.items():
        ET.SubElement(parent, name).text = one_line(value)  # XML cannot hold every name of a file
