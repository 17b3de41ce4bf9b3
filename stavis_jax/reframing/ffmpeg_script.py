"""Writes a shell script that reframes the film by ffmpeg, and the file of commands that moves its crop."""

import shlex
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from data_pipelines.drawing.copied_sound import MP4_CODECS
from data_pipelines.films.sound_place import SoundPlace
from stavis_jax.reframing.draw import BACKGROUND_BRIGHTNESS, whole_picture_box
from stavis_jax.reframing.plan import Plan

CROP = "crop@path"  # the name by which commands find the filter
BLUR_SHARE = 25  # of the long side of the reframed film, in one standard deviation of the blur

SCRIPT = """#!/bin/sh
# Reframes a film to {ratio} by ffmpeg. Run it in its own folder. Change the encoder in the last line as you like.
# sh {name} [FILM] [OUTPUT]
film=${{1:-{film}}}
output=${{2:-{output}}}
ffmpeg -i "$film" {sound}-filter_complex "{graph}" -map "[reframed]" -map "{number}:a?" \\
  -fps_mode passthrough -c:v libx264 -crf 18 -preset medium -pix_fmt yuv420p -c:a {codec} "$output"
"""


def script_name(plan: Plan) -> str:
    return f"{plan.ratio.name}_ffmpeg.sh"


def commands_name(plan: Plan) -> str:
    return f"{plan.ratio.name}_crop.txt"


def write_script(
    folder: Path, plan: Plan, film: Path, offset_seconds: Fraction, sound: SoundPlace | None = None
) -> None:
    """Writes the script and its file of commands. The sound is copied if MP4 can hold it.

    Args:
      folder: to write to.
      plan: the plan.
      film: path of the film.
      offset_seconds: time of the first picture by ffmpeg's clock, which is 0 where the file begins.
      sound: the film's sound, in the film or in a file of its own.
    """
    is_apart = sound is not None and sound.path != film
    is_copied = sound is None or all(codec in MP4_CODECS for codec in sound.codecs)
    (folder / commands_name(plan)).write_text(crop_commands(plan, offset_seconds), encoding="utf-8")
    text = SCRIPT.format(
        ratio=plan.ratio.text,
        name=script_name(plan),
        film=shlex.quote(str(film.absolute())),
        output=f"{plan.ratio.name}_by_ffmpeg.mp4",
        graph=filter_graph(plan, offset_seconds),
        sound=_sound_input(sound, offset_seconds) if sound and is_apart else "",
        number=int(is_apart),
        codec="copy" if is_copied else "aac",
    )
    path = folder / script_name(plan)
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    path.chmod(path.stat().st_mode | 0o111)


def _sound_input(sound: SoundPlace, offset_seconds: Fraction) -> str:
    """Returns the option that reads a sound at the time at which it is heard."""
    return f"-itsoffset {float(offset_seconds - sound.lead_seconds):.6f} -i {shlex.quote(str(sound.path.absolute()))} "


def crop_commands(plan: Plan, offset_seconds: Fraction = Fraction(0)) -> str:
    """Returns the commands of ffmpeg's filter sendcmd: a line for each frame at which the crop moves.

    A command is given half a frame early, so that rounded timestamps cannot delay it.
    """
    lines = []
    place = None
    for index, seconds in enumerate(plan.seconds.tolist()):
        x, y = plan.whole_pixels(index)
        moved = x if plan.axis == "x" else y
        if moved != place:
            before = float(plan.seconds[index - 1]) if index else seconds
            lines.append(f"{max(0.0, float(offset_seconds) + (seconds + before) / 2):.6f} {CROP} {plan.axis} {moved};")
            place = moved
    return "\n".join(lines) + "\n"


def filter_graph(plan: Plan, offset_seconds: Fraction = Fraction(0)) -> str:
    """Returns the filters, from [0:v] to [reframed]."""
    (width, height), (x, y) = plan.size, plan.whole_pixels(0)
    crop = f"sendcmd=f={commands_name(plan)},{CROP}={width}:{height}:{x}:{y}:exact=1"
    padded = padded_spans(plan, offset_seconds)
    if not padded:
        return f"[0:v]{crop}[reframed]"
    shown = "+".join(f"between(t,{begin:.6f},{end:.6f})" for begin, end in padded)
    left, top, *size = whole_picture_box(plan.film_size, plan.size)
    middle_x, middle_y = ((whole - part) // 2 for whole, part in zip(plan.film_size, plan.size, strict=True))
    background = f"crop={width}:{height}:{middle_x}:{middle_y}:exact=1"
    if plan.background == "blur":
        sigma = max(1, max(plan.size) // BLUR_SHARE)
        dark = f"lutyuv=y='16+(val-16)*{BACKGROUND_BRIGHTNESS}'"
        background += f",format=yuv420p,gblur=sigma={sigma},{dark}"
    else:
        background += ",drawbox=color=black:t=fill"
    return (
        f"[0:v]split=3[moving][behind][whole];[moving]{crop}[cropped];[behind]{background}[background];"
        f"[whole]scale={size[0]}:{size[1]},setsar=1[small];[background]setsar=1[square];"
        f"[square][small]overlay={left}:{top}[padded];"
        f"[cropped]setsar=1[unpadded];[unpadded][padded]overlay=enable='{shown}',"
        f"setsar={plan.pixel_aspect.numerator}/{plan.pixel_aspect.denominator}[reframed]"
    )


def padded_spans(plan: Plan, offset_seconds: Fraction) -> Sequence[tuple[float, float]]:
    """Returns (begin, end) in seconds of the runs of padded shots, each half a frame early."""
    spans: list[tuple[float, float]] = []
    for shot in plan.shots:
        if not shot.padded:
            continue
        begin, end = (_just_before(plan, index) + float(offset_seconds) for index in (shot.first, shot.end))
        if spans and spans[-1][1] == begin:
            begin = spans.pop()[0]
        spans.append((begin, end))
    return spans


def _just_before(plan: Plan, index: int) -> float:
    """Returns a time between a frame and the one before. It is negative before the first, and large after the last."""
    if index == 0:
        return -1.0
    if index == len(plan.seconds):
        return float(plan.seconds[-1]) + 1e5
    return float(plan.seconds[index - 1] + plan.seconds[index]) / 2
