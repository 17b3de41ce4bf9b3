"""Command: crops a film to other shapes, along a smooth path that follows where people are predicted to look.

For each ratio it writes, into the folder OUTPUT/<film>/, the reframed film with its sound (9x16.mp4), the path of the
crop (9x16.csv, 9x16.json), a script that does the same by ffmpeg (9x16_ffmpeg.sh), and a sequence for editors
(9x16.xml). One prediction serves all ratios.
"""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.films.film import Film, film_name, open_film
from data_pipelines.films.paths import find_films
from data_pipelines.runtime.arguments import CommandParser, ListAction
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
from stavis_jax.outputs.options import PredictionOptions
from stavis_jax.reframing.ratio import ratio

HOW = ("batch_size", "resize_filter")  # arguments of `predict_film` that are flags
PADDINGS = ("auto", "never", "blur", "black")  # of reframing/plan.py, which needs SciPy
SPEED, ACCELERATION, JERK, PAD_BELOW = 0.4, 0.8, 4.0, 0.4  # of `CameraLimits` and `PlanOptions`
EXAMPLES = """holiday.mp4 --ratio 9:16 --output reframed
holiday.mp4 --ratio 9:16 1:1 4:5 --preview --output reframed
holiday.mp4 --ratio 9:16 --maps saliency/holiday --output reframed"""


@command
def main(argv: Sequence[str] | None = None) -> None:
    arguments = vars(_parser().parse_args(argv))
    keep_big_buffers()  # before decoders start threads
    _check(arguments)
    # Imported here: JAX takes seconds, and --help needs none of it.
    from stavis_jax.cli.network import load_network
    from stavis_jax.prediction.real_time import real_time_batch, real_time_prediction
    from stavis_jax.reframing.plan import Analysis, PlanOptions
    from stavis_jax.reframing.reframe_film import (
        ReframeOptions,
        analyse_film,
        analyse_maps,
        check_replaceable,
        write_reframed,
        written_names,
    )
    from stavis_jax.reframing.smooth_path import CameraLimits
    from stavis_jax.reframing.summary import summary_table
    from stavis_jax.reports.console import print_table

    stride = stride_of(arguments)
    film = _open(arguments)
    folder = arguments["output"] / film_name(film.path)
    check_replaceable(folder, arguments["overwrite"])
    limits = CameraLimits(arguments["max_speed"], arguments["max_acceleration"], arguments["max_jerk"])
    how_planned = PlanOptions(limits, arguments["pad"], arguments["pad_below"])
    options = ReframeOptions(arguments["ratio"], how_planned, arguments["preview"])
    analyse: Callable[[Callable[[int], object]], Analysis]
    if arguments["maps"]:
        analyse = functools.partial(analyse_maps, film, arguments["maps"])
        settings: dict[str, Any] = {"maps": str(arguments["maps"])}
    else:
        model = load_network(arguments)
        how = {flag: arguments[flag] for flag in HOW}
        if stride is None:
            choice = real_time_prediction(film, model, **how)
            print(f"{one_line(folder)}: {choice.line()}")
            stride, how["batch_size"] = choice.stride, real_time_batch(model, choice.stride, how["batch_size"])
        analyse = functools.partial(analyse_film, film, model, {**how, "stride": stride})
        settings = {**model.identity(), "stride": stride}
    with progress(one_line(film.name)) as start:
        advance = start(film.num_frames and 2 * film.num_frames)  # each frame is read twice
        plans = write_reframed(
            film, folder, analyse, options, settings, overwrite=arguments["overwrite"], advance=advance
        )
    for made in plans:
        print_table(summary_table(made))
        names = [file for file in written_names(made) if (folder / file).exists()]
        print(f"{one_line(folder)}: {len(made.seconds)} frames, wrote {', '.join(names)}")


def _open(arguments: dict[str, Any]) -> Film:
    films = find_films([arguments["film"]])
    if len(films) > 1:
        raise UserError(f"{arguments['film']}: holds {len(films)} films. Give one.")
    return open_film(films[0], sound=arguments["sound"], frame_rate_hz=arguments["frame_rate"])


def _check(arguments: dict[str, Any]) -> None:
    for flag in ("max_speed", "max_acceleration", "max_jerk"):
        if not 1e-3 <= arguments[flag] <= 1000:
            name = flag.replace("_", "-")
            raise UserError(f"--{name} {arguments[flag]:g}: is out of range. Give a number from 0.001 to 1000.")
    if not 0 <= arguments["pad_below"] <= 1:
        raise UserError(f"--pad-below {arguments['pad_below']:g}: is out of range. Give a share from 0 to 1.")
    if arguments["maps"]:
        for flag in ("checkpoint", "variant", "batch_size", "stride", "real_time"):
            if arguments[flag]:
                name = flag.replace("_", "-")
                raise UserError(f"--{name}: has no effect with --maps, since no network runs. Leave it out.")
        if not arguments["maps"].is_dir():
            raise UserError(f"{arguments['maps']}: no such folder. Give the folder of the film's maps.")
    ratios = arguments["ratio"]
    same = next((one for place, one in enumerate(ratios) if one.value in [r.value for r in ratios[:place]]), None)
    if same:
        raise UserError(f"--ratio {same.text}: is given twice. Give each ratio once.")


def _parser() -> CommandParser:
    parser = CommandParser("stavis_jax.reframe", __doc__, EXAMPLES)
    add = parser.add_argument
    add("film", type=Path, metavar="FILM", help="film in any format that FFmpeg decodes, or folder of its pictures")
    add("--output", required=True, type=Path, metavar="DIR", help="folder to write the folder <film>/ to")
    ratios = "width to height of the reframed films, such as 9:16 1:1 4:5"
    add("--ratio", required=True, action=ListAction, type=ratio, metavar="W:H", help=ratios)
    maps = "folder of the film's saliency maps, or folder that predict wrote with them; no network runs then"
    add("--maps", type=Path, metavar="DIR", help=maps)
    add("--preview", action="store_true", help="also write the film with the crop drawn on it (9x16_preview.mp4)")
    add_checkpoint_flags(parser)
    add_batch_and_stride(parser)
    add_real_time(parser)
    parser.add_overwrite("the earlier reframed films in that folder")

    add = parser.add_argument_group("camera").add_argument
    side = "in shares of the side along which the crop moves"
    add("--max-speed", type=float, default=SPEED, metavar="V", help=f"largest speed, {side}, per second")
    add("--max-acceleration", type=float, default=ACCELERATION, metavar="A", help="the same, per second squared")
    add("--max-jerk", type=float, default=JERK, metavar="J", help="the same, per second cubed")
    padding = (
        "show the whole picture on a background: auto: blurred, in shots of which the crop keeps too little; "
        "blur, black: in all shots; never"
    )
    add("--pad", choices=PADDINGS, default="auto", help=padding)
    below = "share of a shot's predicted saliency; --pad auto pads shots of which the crop keeps less"
    add("--pad-below", type=float, default=PAD_BELOW, metavar="SHARE", help=below)

    add_reading_flags(parser)
    parser.set_defaults(**{name: getattr(PredictionOptions(), name) for name in HOW})
    return parser


if __name__ == "__main__":
    main()
