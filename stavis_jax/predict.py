"""Command: predicts a saliency map for every frame of films and pictures, and writes a folder OUTPUT/<film>/ for each.

--outputs selects what is written:

{outputs}

Films that were predicted before are skipped, so the same command continues after an interruption. A film that fails
does not stop the others.
"""

import argparse
import functools
import itertools
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from data_pipelines.films.film import open_film
from data_pipelines.films.paths import find_films
from data_pipelines.ingestion.gaze_tables import column_pairs
from data_pipelines.ingestion.viewing_geometry import Shown, Units, Viewing
from data_pipelines.runtime.arguments import CommandParser, ListAction, image_size, positive_integer
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError, one_line
from stavis_jax.cli.film_progress import progress
from stavis_jax.cli.network_flags import (
    add_batch_and_stride,
    add_checkpoint_flags,
    add_reading_flags,
    add_real_time,
    stride_of,
)
from stavis_jax.cli.process import keep_big_buffers
from stavis_jax.maps.regions import read_regions
from stavis_jax.outputs.options import EXTRA_PANES, MAP_SIZES, NAMINGS, VIEWS, OutputOptions, PredictionOptions
from stavis_jax.outputs.recorded_gaze import RecordedGaze, read_recorded_gaze
from stavis_jax.outputs.registry import OUTPUTS, check_outputs, written_files

if TYPE_CHECKING:
    import stavis_jax

log = logging.getLogger("stavis_jax")

HOW = ("outputs", "batch_size", "resize_filter")  # fields of PredictionOptions that are flags


@command
def main(argv: Sequence[str] | None = None) -> None:
    arguments = vars(_parser().parse_args(argv))
    keep_big_buffers()  # before decoders start threads
    # Imported here: JAX takes seconds, and --help needs none of it.
    from stavis_jax.cli.network import load_network
    from stavis_jax.outputs.many_films import output_folders, predict_films

    films = find_films(arguments["films"])
    given: dict[str, Any] = {
        "regions": arguments["regions"] and read_regions(arguments["regions"]),
        "gaze": _gaze(arguments, films),
    }
    appearance = OutputOptions(**{name: arguments[name] for name in vars(OutputOptions())} | given)
    how = {name: arguments[name] for name in HOW}
    options = PredictionOptions(appearance=appearance, stride=stride_of(arguments), **how)
    check_outputs(options.outputs, appearance)
    appearance.check(uses_sound=True)  # errors are reported before the long work
    number, count = arguments["shard"]

    def load() -> "stavis_jax.StavisModel":
        model = load_network(arguments)
        if arguments["sound"] and not model.uses_sound:
            log.warning("--sound: this network sees the picture only. overlay.mp4 plays the sound; the maps ignore it.")
        return model

    predicted = predict_films(
        output_folders(films, arguments["output"])[number - 1 :: count],
        load,
        options,
        open_film=functools.partial(
            open_film, sound=arguments["sound"], frame_rate_hz=arguments["frame_rate"], stills=True
        ),
        overwrite=arguments["overwrite"],
        progress=progress,
    )
    for folder, num_frames in predicted:
        frames = "1 frame" if num_frames == 1 else f"{num_frames} frames"
        written = f"{frames}, wrote {', '.join(written_files(folder, options.outputs))}"
        print(f"{one_line(folder)}: {'already predicted' if num_frames is None else written}")


def _gaze(arguments: Mapping[str, Any], films: Sequence[Path]) -> RecordedGaze | None:
    """Returns the recorded gaze of the films, None without --gaze."""
    if arguments["gaze"] is None:
        for flag in ("units", "screen", "shown", "columns"):
            if arguments[flag] is not None:
                raise UserError(f"--{flag}: has no effect without --gaze. Leave it out.")
        return None
    viewing = Viewing(screen=arguments["screen"], shown=arguments["shown"])
    columns = dict(itertools.chain(*arguments["columns"] or ()))
    return read_recorded_gaze(arguments["gaze"], films, arguments["units"], viewing, columns)


def _parser() -> CommandParser:
    table = "\n".join(f"  {name:14} {output.file_name:18} {output.content}" for name, output in OUTPUTS.items())
    parser = CommandParser(
        "stavis_jax.predict",
        (__doc__ or "{outputs}").format(outputs=table),
        "holiday.mp4 --output saliency\nholiday.mp4 --checkpoint stavis --output saliency\n"
        "'shots/*.mp4' --checkpoint stavis.pth --output saliency --outputs track contact-sheet",
    )
    add = parser.add_argument
    films = (
        "film in any format that FFmpeg decodes, folder of films, folder of a film's pictures, picture, or quoted "
        "pattern of films or pictures: 'shots/*.mp4'"
    )
    add("films", nargs="+", type=Path, metavar="VIDEO", help=films)
    add("--output", required=True, type=Path, metavar="DIR", help="folder to write the folders <film>/ to")
    add("--outputs", action=ListAction, choices=tuple(OUTPUTS), metavar="NAME", help="what to write, see above")
    add_checkpoint_flags(parser)
    add_batch_and_stride(parser)
    add_real_time(parser)
    share = "predict only the I-th of N shares of the films, for jobs of a cluster (default: 1/1)"
    add("--shard", type=_shard, default=(1, 1), metavar="I/N", help=share)
    parser.add_overwrite("earlier predictions of these films")

    add_reading_flags(parser)

    add = parser.add_argument_group("appearance of the outputs").add_argument
    add("--map-size", choices=MAP_SIZES, help="size of maps and of the grey film: the film's or the network's")
    add("--naming", choices=NAMINGS, help="names of map files: by frame number, or as the original names them")
    add("--colormap", metavar="NAME", help="colours of the heat map, any colormap of matplotlib")
    add("--opacity", type=float, metavar="0..1", help="opacity of the heat map at the most salient pixel")
    add("--view", choices=VIEWS, help="overlay.mp4 shows the overlay alone, or the film beside it")
    panes = "extra panes of overlay.mp4: localization (of the sound), attention (of the network)"
    add("--panes", action=ListAction, nargs="*", choices=EXTRA_PANES, metavar="NAME", help=panes)
    add("--sheet-frames", type=positive_integer, metavar="N", help="frames on the contact sheet, at most 200")
    regions = "JSON file of named boxes, for --outputs regions; docs/regions.md describes it"
    add("--regions", type=Path, metavar="FILE", help=regions)
    add = parser.add_argument_group("recorded gaze, for --outputs scanpath").add_argument
    gaze = "tables of gaze, files of eye trackers (docs/your_own_data.md), or folders of them"
    add("--gaze", nargs="+", type=Path, metavar="PATH", help=gaze)
    names = "names of your columns: time=t x=gx"
    add("--columns", nargs="+", type=column_pairs, metavar="OURS=YOURS", help=names)
    add("--units", choices=get_args(Units), help="unit of x and y (default: as the files say, or the numbers)")
    add("--screen", type=image_size, metavar="WxH", help="x and y are positions on a screen of this size in pixels")
    add("--shown", choices=get_args(Shown), help="size on the screen: as large as fits, or unscaled (default: fit)")
    parser.set_defaults(**vars(OutputOptions()) | {name: getattr(PredictionOptions(), name) for name in HOW})
    return parser


def _shard(text: str) -> tuple[int, int]:
    """Returns (number, count) of a text such as "2/8"."""
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise argparse.ArgumentTypeError(f"expected I/N with I from 1 to N, such as 2/8, found {text!r}")
    return int(number), int(count)


if __name__ == "__main__":
    main()
