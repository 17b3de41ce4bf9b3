"""The table of outputs: name, file, and the function that writes it. A new output gets a row here."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from data_pipelines.films.film import Film
from data_pipelines.films.still import Still
from data_pipelines.runtime.errors import UserError
from stavis_jax.outputs.contact_sheet import contact_sheet
from stavis_jax.outputs.encoders.encoder_maps import FILES as ENCODER_FILES
from stavis_jax.outputs.encoders.encoder_maps import encoder_maps
from stavis_jax.outputs.frame_writer import FrameWriter
from stavis_jax.outputs.gaze_track import gaze_track
from stavis_jax.outputs.map_arrays import npy_maps, npz_maps
from stavis_jax.outputs.map_films import grey_film, overlay_film
from stavis_jax.outputs.map_pictures import is_map_name, map_pictures
from stavis_jax.outputs.options import OutputOptions
from stavis_jax.outputs.region_attention import FILES as REGION_FILES
from stavis_jax.outputs.region_attention import region_tables
from stavis_jax.outputs.scanpath_film import scanpath_film
from stavis_jax.outputs.still_pictures import grey_picture, overlay_picture
from stavis_jax.outputs.thumbnail import thumbnail
from stavis_jax.prediction.frame_prediction import FramePrediction


@dataclasses.dataclass(frozen=True)
class Output:
    """A row of the table.

    Attributes:
      file_name: the file or folder in the folder of the film.
      open: opens the output.
      content: a line for the command's help.
      needs_pictures: whether it draws on the film's pictures, which have to be decoded for it.
      of_still: the output that takes its place if the film is a picture.
      option: the field of `OutputOptions` that it cannot do without, and that serves no other output.
      holds: whether a file of this name may be in the folder, if the output is one.
    """

    file_name: str
    open: FrameWriter
    content: str
    needs_pictures: bool = False
    of_still: "Output | None" = None
    option: str = ""
    holds: Callable[[str], bool] = lambda name: False

    def of(self, film: Film) -> "Output":
        """Returns the output for this film."""
        return self.of_still if self.of_still and isinstance(film, Still) else self


OVERLAY_PICTURE = Output("overlay.png", overlay_picture, "the picture with a heat map over it", True)
GREY_PICTURE = Output("grey.png", grey_picture, "the map as a grey picture")
OUTPUTS = {
    "maps": Output(
        "maps",
        map_pictures,
        "folder of one 8-bit grey picture per frame, each stretched to its own range",
        holds=is_map_name,
    ),
    "overlay": Output(
        "overlay.mp4", overlay_film, "the film with a heat map over it and its sound", True, OVERLAY_PICTURE
    ),
    "grey": Output("grey.mp4", grey_film, "the maps as a silent grey film", of_still=GREY_PICTURE),
    "npz": Output("maps.npz", npz_maps, "the maps as float16 [N, S, S] in [0, 1], with the times of the frames"),
    "npy": Output("maps.npy", npy_maps, "the same maps without times"),
    "contact-sheet": Output("contact-sheet.png", contact_sheet, "frames of the whole film with their overlays", True),
    "track": Output("track.csv", gaze_track, "centre, peak, spread and entropy of each map"),
    "regions": Output(
        "regions",
        region_tables,
        "attention over time in the regions of --regions: tables and a plot",
        option="regions",
        holds=REGION_FILES.__contains__,
    ),
    "roi": Output(
        "roi",
        encoder_maps,
        "what encoders need to spend bits where people look: SVT-AV1, kvazaar, FFmpeg",
        holds=ENCODER_FILES.__contains__,
    ),
    "thumbnail": Output(
        "thumbnail.png", thumbnail, "the frame with the most concentrated saliency, sharp and not dark", True
    ),
    "scanpath": Output(
        "scanpath.mp4",
        scanpath_film,
        "the recorded fixations of --gaze over the film, with trails",
        True,
        option="gaze",
    ),
}


def check_outputs(names: Sequence[str], options: OutputOptions) -> None:
    """Raises UserError if a name is of no output, there is none, or an output and its option are not given together."""
    unknown = [name for name in names if name not in OUTPUTS]
    if unknown or not names:
        fault = f"{unknown[0]!r} is not known" if unknown else "is empty"
        raise UserError(f"--outputs: {fault}. Choose from {', '.join(OUTPUTS)}.")
    for name, output in OUTPUTS.items():
        given = bool(output.option) and getattr(options, output.option) is not None
        if name in names and output.option and not given:
            raise UserError(f"--outputs {name}: needs --{output.option}. Give it too.")
        if given and name not in names:
            raise UserError(f"--{output.option}: has no effect without --outputs {name}. Add this output.")


def file_names(names: Sequence[str]) -> list[str]:
    """Returns the files and folders that outputs write into the folder of a film that is no picture."""
    return [OUTPUTS[name].file_name for name in names]


def written_files(folder: Path, names: Sequence[str]) -> list[str]:
    """Returns the files and folders that outputs have written into the folder of a film or a picture."""
    return [name for name in _all_file_names(names) if (folder / name).exists()]


def _all_file_names(names: Sequence[str]) -> list[str]:
    outputs = [OUTPUTS[name] for name in names]
    return [of.file_name for output in outputs for of in (output, output.of_still) if of]


def is_output(name: str) -> bool:
    """Returns whether an output writes a file of this name, relative to the folder of a film."""
    folder, _, file = name.rpartition("/")
    if folder:
        return any(folder == output.file_name and output.holds(file) for output in OUTPUTS.values())
    return file in _all_file_names(tuple(OUTPUTS))


@contextlib.contextmanager
def open_outputs(
    names: Sequence[str], folder: Path, film: Film, options: OutputOptions
) -> Iterator[Callable[[FramePrediction], None]]:
    """Yields a function that writes one frame to all outputs. They are complete when the block ends normally.

    Raises:
      UserError: the film's sound cannot be read.
      OSError: a file cannot be written.
    """
    outputs = [OUTPUTS[name].of(film) for name in names]
    with contextlib.ExitStack() as opened:
        pictures = None
        if any(output.needs_pictures for output in outputs):
            pictures = opened.enter_context(contextlib.closing(film.pictures()))
        writers = [
            (output, opened.enter_context(output.open(folder / output.file_name, film, options))) for output in outputs
        ]

        def write(prediction: FramePrediction) -> None:
            picture = None if pictures is None else next(pictures, None)
            for output, write_frame in writers:
                if picture is not None or not output.needs_pictures:
                    write_frame(prediction, picture)

        yield write
