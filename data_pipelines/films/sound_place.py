"""Finds where in its file the sound of a film begins, for programs that read both files themselves."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from data_pipelines.films.decoding import open_container
from data_pipelines.films.source import Film


@dataclass(frozen=True)
class SoundPlace:
    """The sound of a film in its file.

    Attributes:
      path: the file, which may be the film itself.
      lead_seconds: how long the file plays before the first picture; negative if it begins after it.
      length_seconds: of the whole file; 0 if it is not known.
      codecs: of all its sounds.
    """

    path: Path
    lead_seconds: Fraction
    length_seconds: Fraction
    codecs: tuple[str, ...]


def sound_place(film: Film) -> SoundPlace | None:
    """Returns where the sound of a film is; None without sound. Raises UserError if it cannot be read."""
    if film.sound_path is None:
        return None
    with open_container(film.sound_path) as container:
        start, length = (Fraction(ticks or 0, av.time_base) for ticks in (container.start_time, container.duration))
        codecs = tuple(
            stream.codec_context.codec.canonical_name for stream in container.streams.audio if stream.codec_context
        )
    return SoundPlace(film.sound_path, film.start_seconds - start, length, codecs)
