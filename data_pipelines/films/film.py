"""Opens a film: a film file or a folder of pictures, with its sound; or a picture, as a film of one frame."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from data_pipelines.films.animated_picture import open_animated_picture
from data_pipelines.films.decoding import has_moving_pictures
from data_pipelines.films.encoded_film import open_encoded_film
from data_pipelines.films.frame_folder import open_frame_folder, sound_in
from data_pipelines.films.sound import open_sound, sound_start
from data_pipelines.films.source import Film, FilmFrame, Picture, film_name
from data_pipelines.films.still import open_still
from data_pipelines.runtime.errors import UserError

__all__ = ["Film", "FilmFrame", "Picture", "film_name", "open_film"]


def open_film(
    path: Path | str,
    *,
    sound: Path | str | None = None,
    frame_rate_hz: float | None = None,
    stills: bool = False,
) -> Film:
    """Opens a film: a file of any kind FFmpeg decodes, or a folder of pictures. Reads its header and first picture.

    Args:
      path: a film file, or a folder whose pictures, in natural order, are the frames.
      sound: a file to take the sound from instead, by default the sound file in a folder of pictures. The first sample
        of a sound file is heard with the first frame. If `sound` is a film, its sound keeps its time relative to its
        own first picture.
      frame_rate_hz: frames per second of a folder of pictures, by default 25, with a warning. Not allowed for a film
        file, which has times of its own.
      stills: whether a single picture is a film of one frame. By default it is refused.

    Raises:
      UserError: a file is missing or cannot be read, a folder holds no picture or several sounds, the frame rate
        is not possible, or sound is given for a single picture.
    """
    path = Path(path)
    if path.is_dir():
        film: Film = open_frame_folder(path, frame_rate_hz)
        sound = sound_in(path) if sound is None else sound
    elif frame_rate_hz is not None and path.exists():
        raise UserError(f"{path}: a film file has times of its own. Give a frame rate only with a folder of frames.")
    elif stills and (still := open_still(path)):
        if sound is not None:
            raise UserError(f"{path}: is a single picture, which has no sound. Give the sound with a film only.")
        return still
    else:
        film = open_animated_picture(path) or open_encoded_film(path)
    if sound is None:
        return film
    return replace(film, sound_path=Path(sound), start_seconds=_start_on_its_clock(Path(sound)))


def _start_on_its_clock(sound: Path) -> Fraction:
    """Returns the time on the clock of `sound`, a film or a sound file, at which a film that takes its sound starts."""
    with open_sound(sound) as (container, _):
        is_film = has_moving_pictures(container)
    return open_encoded_film(sound).start_seconds if is_film else sound_start(sound)
