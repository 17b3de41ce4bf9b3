"""Command: compares the predicted attention of two cuts of a film, second by second and region by region.

A and B are films, which are predicted first, or folders that predict has written with --outputs npz. docs/compare.md
describes the tables and the plot.
"""

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from data_pipelines.runtime.arguments import CommandParser
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import one_line
from stavis_jax.cli.network_flags import add_batch_and_stride, add_checkpoint_flags, stride_of
from stavis_jax.cli.process import keep_big_buffers
from stavis_jax.maps.regions import read_regions

Item = TypeVar("Item")

EXAMPLES = """cut1.mp4 cut2.mp4 --output comparison
saliency/cut1 saliency/cut2 --regions boxes.json --output comparison"""


@command
def main(argv: Sequence[str] | None = None) -> None:
    arguments = vars(_parser().parse_args(argv))
    how = {"batch_size": arguments["batch_size"], "stride": stride_of(arguments)}
    regions = arguments["regions"] and read_regions(arguments["regions"])
    keep_big_buffers()  # before decoders start threads
    # Imported here: JAX takes seconds, and --help needs none of it.
    from stavis_jax.cli.network import load_network
    from stavis_jax.cuts.compare_cuts import compare_cuts
    from stavis_jax.cuts.comparison import comparison_table
    from stavis_jax.reports.console import print_table

    comparison, names = compare_cuts(
        arguments["a"],
        arguments["b"],
        arguments["output"],
        functools.cache(lambda: load_network(arguments)),
        regions=regions,
        how=how,
        watch=_with_progress,
    )
    print_table(comparison_table(comparison))
    print(f"{one_line(arguments['output'])}: wrote {', '.join(names)}")


def _with_progress(items: Iterable[Item], name: str, total: int | None) -> Iterable[Item]:
    """Yields the items, and shows their number."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import track

    return track(items, escape(one_line(name)), total, console=Console(stderr=True), transient=True)


def _parser() -> CommandParser:
    parser = CommandParser("stavis_jax.compare", __doc__, EXAMPLES)
    add = parser.add_argument
    for name in "ab":
        add(name, type=Path, metavar=name.upper(), help="film, or folder of a prediction with maps.npz")
    output = "folder for seconds.csv, summary.csv, compare.png, of films compare.mp4 and, with --regions, regions.csv"
    add("--output", required=True, type=Path, metavar="DIR", help=output)
    regions = "JSON file of named boxes, the same in both cuts; docs/regions.md describes it"
    add("--regions", type=Path, metavar="FILE", help=regions)
    add_checkpoint_flags(parser)
    add_batch_and_stride(parser)
    return parser


if __name__ == "__main__":
    main()
