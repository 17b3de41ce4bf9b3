"""Command: PyTorch checkpoint -> directory of arrays, and back.

Reads any of: STAViS audiovisual, STAViS visual, Kinetics 3D ResNet (any depth, shortcut type A or B), SoundNet. Which
one it is, and its depth, is found from its contents. The way back writes a file that the authors' PyTorch code loads.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError

EXAMPLES = """examples:
  python -m stavis_jax.convert stavis_audiovisual.pth --output weights/stavis
  python -m stavis_jax.convert weights/stavis --output stavis_again.pth
  python -m stavis_jax.convert runs/av --variant visual --output visual.pth"""
PYTORCH_SUFFIXES = (".pth", ".pt", ".tar")


@command
def main(argv: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(argv)
    if not options.checkpoint.exists():
        raise UserError(f"{options.checkpoint}: no such file or directory.")
    if options.output.exists() and not options.overwrite:
        raise UserError(f"{options.output}: exists already. Give --overwrite to replace it, or another --output.")
    convert = directory_to_pytorch if options.checkpoint.is_dir() else pytorch_to_directory
    _print(convert(options.checkpoint, options.output, options.variant, overwrite=options.overwrite), Console())


def pytorch_to_directory(
    file: Path, directory: Path, variant: str | None = None, *, overwrite: bool = False
) -> dict[str, str]:
    """Converts a .pth file to a directory; returns what there is to say, line by line.

    Raises:
      UserError: the file cannot be converted, or the directory not be written.
    """
    from stavis_jax.weights import loading
    from stavis_jax.weights.directory import save_weights

    if directory.suffix in PYTORCH_SUFFIXES:
        raise UserError(f"--output {directory}: a .pth file is converted to a directory. Give a directory's name.")
    loading.check_variant(variant)
    weights, info, unused = loading.read_pytorch_weights(file, variant)
    if variant and info.kind != "stavis":
        raise UserError(f"--variant {variant}: {file} holds {info.kind} weights, which have no variant. Leave it out.")
    save_weights(directory, weights, info, overwrite=overwrite)
    told = "" if variant or info.kind != "stavis" else f" ({loading.reason(info.variant)})"
    return _summary(info, told) | {
        "arrays": f"{len(weights)} used" + (f", {len(unused)} not needed ({_groups(unused)})" if unused else ""),
        "written": str(directory),
    }


def directory_to_pytorch(
    directory: Path, file: Path, variant: str | None = None, *, overwrite: bool = False
) -> dict[str, str]:
    """Converts a directory, or what a training left in a workdir, to a .pth file; returns what there is to say.

    Raises:
      UserError: the directory cannot be converted, or the file not be written.
    """
    from stavis_jax.weights import loading
    from stavis_jax.weights.exporting import to_checkpoint
    from stavis_jax.weights.pytorch_file import write_checkpoint

    if file.is_dir():
        raise UserError(f"--output {file}: is a directory. Give the name of a .pth file.")
    loading.check_variant(variant)
    weights, info = loading.load_weights(directory, variant)
    checkpoint, filled = to_checkpoint(weights, info, str(directory))
    write_checkpoint(file, checkpoint)
    fresh = f", {len(filled)} of them starting values ({_groups(filled)}: not trained)" if filled else ""
    return _summary(info) | {
        "tensors": f"{len(checkpoint.state)}{fresh}",
        "written": str(file),
    }


def _summary(info, told: str = "") -> dict[str, str]:
    kind = {"stavis": "STAViS", "kinetics": "3D ResNet trunk", "soundnet": "SoundNet"}[info.kind]
    summary = {"holds": kind}
    if info.depth:
        summary["depth"] = f"{info.depth}, shortcut type {info.shortcut}"
    if info.variant:
        summary["variant"] = info.variant + told
    return summary


def _groups(names: Sequence[str]) -> str:
    """First parts of names: "layer4, fc"."""
    return ", ".join(dict.fromkeys(name.replace("/", ".").split(".")[0] for name in names))


def _print(summary: Mapping[str, str], console: Console) -> None:
    table = Table.grid(padding=(0, 2))
    for name, text in summary.items():
        table.add_row(name, Text(text))  # not markup, whatever the file is called
    console.print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stavis_jax.convert",
        description=__doc__.removeprefix("Command: "),
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "checkpoint", type=Path, metavar="CHECKPOINT", help="a .pth file; or a converted directory or a workdir"
    )
    parser.add_argument("--output", type=Path, required=True, help="directory to write; or .pth file, for the way back")
    parser.add_argument(
        "--variant",
        metavar="visual|l3mul-s3",
        help="system to run, of a STAViS file (default: visual if its sound part was never trained) or a workdir "
        "(default: the one with sound)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an output that exists")
    return parser


if __name__ == "__main__":
    main()
