"""What can be written of a film's predictions, as a table: its name, its file, its sink."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

from data_pipelines.runtime.errors import UserError
from stavis_jax.maps.overlays import COLORMAP, OPACITY, check_colormap
from stavis_jax.outputs.contact_sheet import MOST_FRAMES, NUM_FRAMES, ContactSheet
from stavis_jax.outputs.gaze_track import GazeTrack
from stavis_jax.outputs.grey_film import GreyFilm
from stavis_jax.outputs.map_arrays import NpyMaps, NpzMaps
from stavis_jax.outputs.map_pictures import MapPictures, Naming, is_map_name
from stavis_jax.outputs.overlay_film import OverlayFilm
from stavis_jax.outputs.panes import PANES_OF_VIEW, View, check_panes
from stavis_jax.outputs.sinks import ShownFilm, Sink, SinkGroup

MapSize = Literal["film", "network"]


@dataclasses.dataclass(frozen=True)
class OutputOptions:
    """How outputs look.

    Attributes:
      map_size: of map pictures and the grey film: the film's, or the network's as it comes.
      naming: of map pictures; see `MapPictures`.
      colormap: of the heat, any of matplotlib's.
      opacity: 0 to 1, share of the heat at the most salient pixel.
      view: of overlay.mp4: the overlay alone, or the film at its left.
      panes: more panes in overlay.mp4: "localization", "attention".
      sheet_frames: how many frames the contact sheet shows, at most 200.
    """

    map_size: MapSize = "film"
    naming: Naming = "frames"
    colormap: str = COLORMAP
    opacity: float = OPACITY
    view: View = "overlay"
    panes: tuple[str, ...] = ()
    sheet_frames: int = NUM_FRAMES

    def check(self, uses_sound: bool) -> None:
        """Raises `UserError` if a value is none that it can have; `uses_sound`: whether the network's variant does."""
        for flag, value, choices in (
            ("--map-size", self.map_size, ("film", "network")),
            ("--naming", self.naming, ("frames", "original")),
            ("--view", self.view, tuple(PANES_OF_VIEW)),
        ):
            if value not in choices:
                raise UserError(f"{flag} {value}: give one of {', '.join(choices)}.")
        if not 0 <= self.opacity <= 1:
            raise UserError(f"--opacity {self.opacity}: give a number from 0, no heat, to 1, heat alone.")
        if not 1 <= self.sheet_frames <= MOST_FRAMES:
            raise UserError(f"--sheet-frames {self.sheet_frames}: give 1 to {MOST_FRAMES}.")
        check_colormap(self.colormap)
        check_panes(self.panes, uses_sound)

    def size_of_maps(self, film: ShownFilm) -> tuple[int, int] | None:
        """(width, height) in pixels; None for the network's."""
        return (film.width, film.height) if self.map_size == "film" else None


@dataclasses.dataclass(frozen=True)
class Output:
    """One row: the file or folder that is written, and how (its path, the film, options -> its sink)."""

    file_name: str
    open: Callable[[Path, ShownFilm, OutputOptions], Sink]


OUTPUTS = {
    "maps": Output("maps", lambda path, film, how: MapPictures(path, how.size_of_maps(film), how.naming)),
    "overlay": Output(
        "overlay.mp4",
        lambda path, film, how: OverlayFilm(path, film, how.view, how.panes, how.colormap, how.opacity),
    ),
    "grey": Output("grey.mp4", lambda path, film, how: GreyFilm(path, film.frame_rate_hz, how.size_of_maps(film))),
    "npz": Output("maps.npz", lambda path, film, how: NpzMaps(path, film.frame_rate_hz)),
    "npy": Output("maps.npy", lambda path, film, how: NpyMaps(path)),
    "contact-sheet": Output(
        "contact-sheet.png",
        lambda path, film, how: ContactSheet(path, film, how.sheet_frames, how.colormap, how.opacity),
    ),
    "track": Output("track.csv", lambda path, film, how: GazeTrack(path, film.width, film.height)),
}
DEFAULT_OUTPUTS = ("maps", "overlay")


def output_names(text: str) -> tuple[str, ...]:
    """ "maps,overlay" -> the names, each once. Raises `UserError` if one is unknown or there is none."""
    names = listed(text)
    unknown = [name for name in names if name not in OUTPUTS]
    if unknown or not names:
        fault = f"there is no output {', '.join(unknown)}" if unknown else "names no output"
        raise UserError(f"--outputs {text}: {fault}. Give any of {', '.join(OUTPUTS)}.")
    return names


def listed(text: str) -> tuple[str, ...]:
    """ "a, b,a" -> ("a", "b"): what --outputs and --panes take."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def file_names(names: Iterable[str] = OUTPUTS) -> list[str]:
    """What the outputs put into a film's folder."""
    return [OUTPUTS[name].file_name for name in names]


def is_output(name: str) -> bool:
    """Whether an output writes a file of this name, relative to a film's folder; an empty folder counts as one."""
    folder, _, file = name.rpartition("/")
    if folder:
        return folder == OUTPUTS["maps"].file_name and is_map_name(file)
    return file in file_names()


def open_outputs(names: Sequence[str], folder: Path, film: ShownFilm, options: OutputOptions) -> SinkGroup:
    """Opens the sinks of the outputs of one film, which write into `folder`.

    Raises `UserError` if the film's sound cannot be read, `OSError` if nothing can be written; all is closed then.
    """
    with contextlib.ExitStack() as opened:
        sinks = []
        for name in names:
            sinks.append(OUTPUTS[name].open(folder / OUTPUTS[name].file_name, film, options))
            opened.callback(sinks[-1].close)
        opened.pop_all()
    return SinkGroup(sinks)
