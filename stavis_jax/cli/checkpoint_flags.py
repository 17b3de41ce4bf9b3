"""Flags of the commands that run a checkpoint's network."""

import argparse

NUMBER_FORMATS = ("auto", "float32", "bfloat16")  # of ops/number_format.py, which needs JAX
CHECKPOINT = (
    ".pth or .safetensors file, converted directory, working directory of a training, or a name: starter is the small "
    "network of this package, which sees the picture only; stavis and stavis-visual are the authors' checkpoints, "
    "fetched at first use (stavis-split2: those of another split)"
)
DEFAULT_CHECKPOINT = f"{CHECKPOINT} (default: starter)"


def add_base_url(parser: argparse.ArgumentParser) -> None:
    text = "server to fetch a named checkpoint from, or a mirror of it (default: the authors' server)"
    parser.add_argument("--base-url", metavar="URL", help=text)


def add_dtype(parser: argparse.ArgumentParser) -> None:
    text = "number format of the trunk; auto: bfloat16 on TPUs and on NVIDIA GPUs of compute capability 8.0 or more"
    parser.add_argument("--dtype", choices=NUMBER_FORMATS, default="auto", help=f"{text}, float32 elsewhere")
