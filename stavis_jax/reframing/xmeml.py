"""Writes the reframed film as an XMEML sequence, which Premiere Pro, DaVinci Resolve and Final Cut Pro 7 import.

The sequence has the size of the reframed film and one clip per shot. The clips refer to the original film. A clip's
effect Basic Motion moves and scales it: `center` is the offset of the clip's centre from that of the sequence, as a
share of the film's width and height, and `scale` a percentage. Sequences have square pixels: of a film whose pixels are
not square, editors know that from its file.
"""

import os
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import numpy as np

from data_pipelines.drawing.mp4_film import even
from data_pipelines.films.sound_place import SoundPlace
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
      sound: the sound and where it begins; None without sound.
    """

    path: Path
    name: str
    frame_rate_hz: Fraction
    sound: SoundPlace | None


class _Rate(NamedTuple):
    """A frame rate as XMEML states it: a whole number, or 1000/1001 of it."""

    timebase: int
    is_ntsc: bool

    @property
    def hz(self) -> Fraction:
        return Fraction(self.timebase * 1000, 1001) if self.is_ntsc else Fraction(self.timebase)


def file_name(plan: Plan) -> str:
    return f"{plan.ratio.name}.xml"


def write_xmeml(path: Path, plan: Plan, film: FilmFacts) -> None:
    """Writes the sequence. Times are frame numbers at the rate that the sequence states."""
    rate = stated_rate(film.frame_rate_hz)
    root = ET.Element("xmeml", version="4")
    sequence = ET.SubElement(root, "sequence", id="sequence-1")
    numbers = frame_numbers(plan, rate.hz)
    _texts(sequence, name=f"{film.name} {plan.ratio.text}", duration=numbers[-1])
    _rate(sequence, rate)
    media = ET.SubElement(sequence, "media")
    video = ET.SubElement(media, "video")
    shown_size = even((round(plan.size[0] * plan.pixel_aspect), plan.size[1]))
    _size(ET.SubElement(ET.SubElement(video, "format"), "samplecharacteristics"), shown_size, rate)
    track = ET.SubElement(video, "track")
    for shot in plan.shots:
        clip = _clip(track, f"clip-{shot.number}", film.name, rate, numbers[-1])
        first, end = numbers[shot.first], numbers[shot.end]
        _texts(clip, **{"start": first, "end": end, "in": first, "out": end})
        _file(clip, plan, film, rate, numbers[-1], is_first=shot.number == 1)
        ET.SubElement(clip, "filter").append(_motion(plan, shot, numbers))
    if film.sound:
        _sound(ET.SubElement(ET.SubElement(media, "audio"), "track"), film, film.sound, rate, numbers[-1])
    ET.indent(root)
    path.write_text(_DOCTYPE + ET.tostring(root, encoding="unicode") + "\n", encoding="utf-8")


def frame_numbers(plan: Plan, rate_hz: Fraction) -> list[int]:
    """Returns the number of each frame at a steady rate, and that of the end: [N + 1], never falling.

    Several frames have one number where a film shows more than the rate has. Each shot has a number of its own.
    """
    edges = [0]
    for shot in plan.shots:
        edges.append(max(round(shot.end_seconds * rate_hz), edges[-1] + 1))
    numbers: list[int] = []
    for shot, first, end in zip(plan.shots, edges[:-1], edges[1:], strict=True):
        seconds = plan.seconds[shot.first : shot.end].tolist()
        numbers += [min(max(round(time * rate_hz), first), end - 1) for time in seconds]
    return [*numbers, edges[-1]]


def stated_rate(rate_hz: Fraction) -> _Rate:
    """Returns the next rate that XMEML can state."""
    timebase = max(1, round(rate_hz))
    is_ntsc = rate_hz != timebase and abs(rate_hz - Fraction(timebase * 1000, 1001)) < Fraction(1, 100)
    return _Rate(timebase, is_ntsc)


def keyframes(values: np.ndarray, times: Sequence[float], tolerance: float) -> Sequence[int]:
    """Returns indices between which linear interpolation in time differs from `values` by at most `tolerance`."""
    kept = [0]
    while kept[-1] < len(values) - 1:
        first = kept[-1]
        # The widest cone of slopes that passes all values so far; a value outside of it needs a keyframe before it.
        lowest, highest, last = -np.inf, np.inf, first + 1
        for index in range(first + 1, len(values)):
            rise, run = values[index] - values[first], times[index] - times[first]
            if lowest <= rise / run <= highest:
                last = index
            lowest, highest = max(lowest, (rise - tolerance) / run), min(highest, (rise + tolerance) / run)
            if lowest > highest:
                break
        kept.append(last)
    return kept


def _clip(parent: ET.Element, identity: str, name: str, rate: _Rate, duration: int) -> ET.Element:
    clip = ET.SubElement(parent, "clipitem", id=identity)
    _texts(clip, name=name, duration=duration)
    _rate(clip, rate)
    return clip


def _sound(parent: ET.Element, film: FilmFacts, sound: SoundPlace, rate: _Rate, duration: int) -> None:
    """Adds the sound of the whole film, from the film or from another file."""
    clip = _clip(parent, "sound-1", film.name, rate, duration)
    if sound.path == film.path:
        _texts(clip, **{"start": 0, "end": duration, "in": 0, "out": duration})
        ET.SubElement(clip, "file", id="file-1")
    else:
        begins, skipped = max(0, round(-sound.lead_seconds * rate.hz)), max(0, round(sound.lead_seconds * rate.hz))
        end = max(begins, min(duration, begins + round(sound.length_seconds * rate.hz) - skipped))
        _texts(clip, **{"start": begins, "end": end, "in": skipped, "out": skipped + end - begins})
        file = ET.SubElement(clip, "file", id="file-2")
        _named(file, sound.path, round(sound.length_seconds * rate.hz), rate)
        _sound_format(ET.SubElement(file, "media"))
    _texts(ET.SubElement(clip, "sourcetrack"), mediatype="audio", trackindex=1)


def _named(file: ET.Element, path: Path, duration: int, rate: _Rate) -> None:
    absolute = path.absolute()
    _texts(file, name=path.name, pathurl=f"file://localhost{quote(os.fsencode(absolute))}", duration=duration)
    _rate(file, rate)


def _sound_format(media: ET.Element) -> None:
    samples = ET.SubElement(ET.SubElement(media, "audio"), "samplecharacteristics")
    _texts(samples, depth=16, samplerate=SOUND_RATE_HZ)


def _file(parent: ET.Element, plan: Plan, film: FilmFacts, rate: _Rate, duration: int, *, is_first: bool) -> None:
    """Describes the film once; later clips refer to it by its id."""
    file = ET.SubElement(parent, "file", id="file-1")
    if not is_first:
        return
    _named(file, film.path, duration, rate)
    media = ET.SubElement(file, "media")
    video = ET.SubElement(ET.SubElement(media, "video"), "samplecharacteristics")
    _size(video, plan.film_size, rate, is_square=plan.pixel_aspect == 1)
    if film.sound and film.sound.path == film.path:
        _sound_format(media)


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
    _center(parameter, center(plan, shot.first))
    at = {numbers[index]: index for index in range(shot.first, shot.end)}  # of frames with one number, the last
    whens, indices = list(at), list(at.values())
    places = plan.places[indices]
    if np.ptp(places) > 0:
        for chosen in keyframes(places, whens, TOLERANCE_PIXELS):
            keyframe = ET.SubElement(parameter, "keyframe")
            _texts(keyframe, when=whens[chosen])
            _center(keyframe, center(plan, indices[chosen]))
    return effect


def center(plan: Plan, index: int) -> tuple[float, float]:
    """Returns the offset of the film's centre from that of the crop, as shares of the film's width and height."""
    parts = zip(plan.corner(index), plan.size, plan.film_size, strict=True)
    horizontal, vertical = ((whole / 2 - (corner + part / 2)) / whole for corner, part, whole in parts)
    return horizontal, vertical


def _center(parent: ET.Element, offset: tuple[float, float]) -> None:
    _texts(ET.SubElement(parent, "value"), horiz=f"{offset[0]:.6f}", vert=f"{offset[1]:.6f}")


def _size(parent: ET.Element, size: tuple[int, int], rate: _Rate, *, is_square: bool = True) -> None:
    _texts(parent, width=size[0], height=size[1], **({"pixelaspectratio": "square"} if is_square else {}))
    _rate(parent, rate)


def _rate(parent: ET.Element, rate: _Rate) -> None:
    _texts(ET.SubElement(parent, "rate"), timebase=rate.timebase, ntsc="TRUE" if rate.is_ntsc else "FALSE")


def _texts(parent: ET.Element, **values: object) -> None:
    """Adds a child for each value."""
    for name, value in values.items():
        ET.SubElement(parent, name).text = one_line(value)  # XML cannot hold every name of a file
