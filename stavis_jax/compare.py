"""Command: compares the predicted attention of two cuts of a film, second by second and region by region.

A and B are films, which are predicted first, or folders that predict has written with --outputs npz. docs/compare.md
describes the tables and the plot.
"""

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data_pipelines.runtime.arguments import CommandParser, positive_integer
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError, one_line
from stavis_jax.cli.checkpoint_flags import DEFAULT_CHECKPOINT, add_base_url, add_dtype
from stavis_jax.cli.process import enable_compilation_cache, keep_big_buffers
from stavis_jax.maps.regions import read_regions

if TYPE_CHECKING:
    from stavis_jax.cuts.cut import Cut, TimedMap

EXAMPLES = """cut1.mp4 cut2.mp4 --output comparison
saliency/cut1 saliency/cut2 --regions boxes.json --output comparison"""


@command
def main(argv: Sequence[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    regions = arguments.regions and read_regions(arguments.regions)
    keep_big_buffers()  # before decoders start threads
    # Imported here: JAX takes seconds, and --help needs none of it.
    import stavis_jax
    from stavis_jax.cuts.compare_cuts import compare_cuts
    from stavis_jax.cuts.comparison import comparison_table
    from stavis_jax.prediction.frame_stream import LARGEST_STRIDE
    from stavis_jax.reports.console import print_table
    from stavis_jax.weights.named_checkpoints import announce_starter, locate

    if arguments.stride > LARGEST_STRIDE:
        raise UserError(f"--stride {arguments.stride}: is too large. Give at most {LARGEST_STRIDE}.")

    @functools.cache
    def load() -> stavis_jax.StavisModel:
        enable_compilation_cache()
        checkpoint = locate(arguments.checkpoint, arguments.base_url)
        if arguments.checkpoint is None:
            announce_starter()
        return stavis_jax.load(checkpoint, variant=arguments.variant, dtype=arguments.dtype)

    comparison, names = compare_cuts(
        arguments.a,
        arguments.b,
        arguments.output,
        load,
        regions=regions,
        stride=arguments.stride,
        maps_of=_with_progress,
    )
    print_table(comparison_table(comparison))
    print(f"{one_line(arguments.output)}: wrote {', '.join(names)}")


def _with_progress(cut: "Cut") -> "Iterable[TimedMap]":
    """Yields the maps of a cut, and shows their number."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import track

    return track(cut.maps(), escape(one_line(cut.name)), cut.num_frames, console=Console(stderr=True), transient=True)


def _parser() -> CommandParser:
    parser = CommandParser("stavis_jax.compare", __doc__, EXAMPLES)
    add = parser.add_argument
    for name in "ab":
        add(name, type=Path, metavar=name.upper(), help="film, or folder of a prediction with maps.npz")
    output = "folder for seconds.csv, summary.csv, compare.png and, with --regions, regions.csv"
    add("--output", required=True, type=Path, metavar="DIR", help=output)
    add("--regions", type=Path, metavar="FILE", help="named boxes in both cuts: a JSON file, see docs/regions.md")

    add = parser.add_argument_group("predicting films").add_argument
    add("--checkpoint", type=Path, metavar="PATH|NAME", help=DEFAULT_CHECKPOINT)
    add("--variant", metavar="NAME", help="variant of the network (default: that of the checkpoint)")
    stride = "predict every N-th frame and interpolate the frames between, at most 64"
    add("--stride", type=positive_integer, default=1, metavar="N", help=stride)
    add_base_url(parser)
    add_dtype(parser)
    return parser


if __name__ == "__main__":
    main()
