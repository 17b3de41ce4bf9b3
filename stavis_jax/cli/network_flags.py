"""Flags of the commands that predict films: which network, how it is called, and how films are read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_pipelines.inputs.resizing import RESIZE_FILTERS
from data_pipelines.runtime.arguments import CommandParser, positive_integer
from data_pipelines.runtime.errors import UserError
from stavis_jax.cli.checkpoint_flags import DEFAULT_CHECKPOINT, add_base_url, add_dtype
from stavis_jax.prediction.memory_use import OF_COMMANDS

LARGEST_STRIDE = 64  # of prediction/frame_stream.py, which needs JAX


def add_checkpoint_flags(parser: CommandParser) -> None:
    """Adds the flags that choose a network."""
    add = parser.add_argument
    add("--checkpoint", type=Path, metavar="PATH|NAME", help=DEFAULT_CHECKPOINT)
    add("--variant", metavar="NAME", help="variant of the network (default: that of the checkpoint)")
    add_base_url(parser)
    add_dtype(parser)


def add_batch_and_stride(parser: CommandParser) -> None:
    """Adds the flags that say how the network is called."""
    add = parser.add_argument
    batch = "clips per call of the network; fewer need less memory (default: 4 on a CPU, 32 on a GPU or TPU)"
    add("--batch-size", type=positive_integer, metavar="N", help=batch)
    memory = "low: compute one clip at a time, and give freed memory back at once; slower, with the same maps"
    add("--memory", choices=tuple(OF_COMMANDS), default="normal", help=f"{memory} (default: normal)")
    stride = f"predict every N-th frame and interpolate the frames between, at most {LARGEST_STRIDE}"
    add("--stride", type=positive_integer, metavar="N", help=f"{stride} (default: 1)")


def add_real_time(parser: CommandParser) -> None:
    """Adds --real-time, for commands that predict each film by itself."""
    real_time = "choose the smallest --stride with which this machine predicts a film in no more time than it lasts"
    parser.add_argument("--real-time", action="store_true", help=real_time)


def add_reading_flags(parser: CommandParser) -> None:
    """Adds the flags that say how a film is read."""
    add = parser.add_argument_group("reading films").add_argument
    sound = "file with the sound (default: the film itself, or the sound file in a folder of pictures)"
    add("--sound", type=Path, metavar="FILE", help=sound)
    add("--frame-rate", type=float, metavar="HZ", help="frame rate of a folder of pictures, in Hz (default: 25)")
    resizing = "filter of the resizing step to 320x240, the same as in the network's training data"
    add("--resize-filter", choices=RESIZE_FILTERS, help=resizing)


def stride_of(arguments: Mapping[str, Any]) -> int | None:
    """Returns the stride, None for --real-time. Raises UserError if --stride is too large or both are given."""
    stride, in_real_time = arguments["stride"], arguments.get("real_time", False)
    if stride is not None and in_real_time:
        raise UserError(f"--stride {stride} --real-time: --real-time chooses the stride. Give one of them.")
    if stride is not None and stride > LARGEST_STRIDE:
        raise UserError(f"--stride {stride}: is too large. Give at most {LARGEST_STRIDE}.")
    return None if in_real_time else stride or 1
