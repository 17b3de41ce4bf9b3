"""Command: converts a PyTorch checkpoint to a directory of arrays, or back.

Reads any of: STAViS audiovisual, STAViS visual, Kinetics 3D ResNet (any depth, shortcut type A or B), SoundNet. Finds
the kind and depth in the file. Converting back writes a file that the authors' PyTorch code loads.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from data_pipelines.runtime.arguments import CommandParser
from data_pipelines.runtime.command import command
from stavis_jax.cli.checkpoint_flags import add_base_url

EXAMPLES = """stavis_audiovisual.pth --output weights/stavis
weights/stavis --output stavis_again.pth
runs/av --variant visual --output visual.pth"""


@command
def main(argv: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(argv)
    # Imported here: JAX takes seconds, and --help needs none of it.
    from stavis_jax.weights.conversion import convert
    from stavis_jax.weights.named_checkpoints import locate

    options.source = locate(options.source, options.__dict__.pop("base_url"))
    table = Table.grid(padding=(0, 2))
    for label, text in convert(**vars(options)).items():
        table.add_row(label, Text(text))  # a file name may look like markup
    Console().print(table)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser("stavis_jax.convert", __doc__, EXAMPLES)
    parser.add_argument(
        "source",
        type=Path,
        metavar="CHECKPOINT",
        help="a .pth or .safetensors file, or SoundNet's .npy; to convert back, a converted directory, a workdir, or a "
        "name such as stavis or starter",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="PATH", help="directory to write, or .pth file to convert back to"
    )
    parser.add_argument(
        "--variant",
        metavar="visual|l3mul-s3",
        help="system to run (default: of a STAViS file, visual if its sound part was never trained; of a workdir, the "
        "one with sound)",
    )
    which = "state dict to read of a file that holds several, such as ema (default: the network's own)"
    parser.add_argument("--state-dict", metavar="NAME", help=which)
    parser.add_argument("--half", action="store_true", help="write a directory whose kernels are stored as float16")
    add_base_url(parser)
    parser.add_overwrite("an output that exists")
    return parser


if __name__ == "__main__":
    main()
