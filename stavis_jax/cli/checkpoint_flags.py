"""Flags of the commands that run a checkpoint's network."""

import argparse

NUMBER_FORMATS = ("auto", "float32", "bfloat16")  # of ops/number_format.py, which needs JAX


def add_dtype(parser: argparse.ArgumentParser) -> None:
    text = "number format of the trunk; auto: bfloat16 on TPUs and on NVIDIA GPUs of compute capability 8.0 or more"
    parser.add_argument("--dtype", choices=NUMBER_FORMATS, default="auto", help=f"{text}, float32 elsewhere")
