"""Command: exports a checkpoint's network to one file that runs with JAX alone, on CPU, CUDA and TPU.

The file holds StableHLO of jax.export. It takes 8-bit frames and sound in batches of any size and returns saliency
maps. docs/export.md shows how to load it.
"""

from collections.abc import Sequence
from pathlib import Path

from data_pipelines.runtime.arguments import CommandParser
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError
from stavis_jax.cli.checkpoint_flags import CHECKPOINT, add_base_url

EXAMPLES = """starter --output starter.stablehlo
runs/av --variant visual --output visual.stablehlo --weights beside"""


@command
def main(argv: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(argv)
    # Imported here: JAX takes seconds, and --help needs none of it.
    from stavis_jax.ops.backend_form import TEXTBOOK
    from stavis_jax.prediction import stablehlo
    from stavis_jax.prediction.model import load
    from stavis_jax.weights.named_checkpoints import locate

    names = stablehlo.check_output(options.output, options.weights, options.overwrite)
    checkpoint = locate(options.checkpoint, options.base_url)
    if options.output.exists() and checkpoint.exists() and options.output.samefile(checkpoint):
        raise UserError(f"{options.output}: is the checkpoint. Give another --output.")
    model = load(checkpoint, options.variant, form=TEXTBOOK, dtype=options.dtype)
    stablehlo.write_export(model, options.output, options.weights, overwrite=options.overwrite)
    for path in names:
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def _parser() -> CommandParser:
    parser = CommandParser("stavis_jax.export", __doc__, EXAMPLES)
    add = parser.add_argument
    add("checkpoint", type=Path, metavar="CHECKPOINT", help=CHECKPOINT)
    add("--output", type=Path, required=True, metavar="FILE", help="file to write the program to")
    add_base_url(parser)
    add("--variant", metavar="NAME", help="variant of the network (default: that of the checkpoint)")
    places = "where the weights are: in FILE, or as NumPy arrays in FILE.npz"
    add("--weights", choices=("inside", "beside"), default="inside", help=places)
    add("--dtype", choices=("float32", "bfloat16"), default="float32", help="number format of the trunk")
    parser.add_overwrite("files that exist")
    return parser


if __name__ == "__main__":
    main()
