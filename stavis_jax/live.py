"""Command: shows where people are predicted to look in a camera, a live stream, or a film played in real time.

It predicts the newest frame whenever the network is free. Frames that come meanwhile are dropped, so delays never add
up. A page on this machine shows the frame with its saliency, and a line every 5 seconds gives the number of maps per
second, the latency from the capture of a frame to its map, and the share of frames that got no map.

Live prediction sees the picture only.
"""

import argparse
import logging
import math
from collections.abc import Sequence

from data_pipelines.runtime.arguments import CommandParser, non_negative_integer
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError, one_line
from stavis_jax.cli.network_flags import add_checkpoint_flags
from stavis_jax.cli.process import keep_big_buffers
from stavis_jax.outputs.options import VIEWS, OutputOptions

log = logging.getLogger("stavis_jax")

LOOKAHEAD_FRAMES, RETRIES, TIMEOUT_SECONDS = 8, 5, 10.0  # of streaming/, which needs JAX
APPEARANCE = ("colormap", "opacity", "view")  # fields of OutputOptions that are flags
EXAMPLES = """/dev/video0
/dev/video0 --option video_size=1280x720 --option input_format=mjpeg --port 8000
rtsp://192.168.1.20/stream1 --option rtsp_transport=tcp
udp://127.0.0.1:5055 --lookahead 4
holiday.mp4 --seconds 30 --view side-by-side"""


@command
def main(argv: Sequence[str] | None = None) -> None:
    arguments = vars(_parser().parse_args(argv))
    keep_big_buffers()  # before decoders start threads
    _check(arguments)
    appearance = OutputOptions(**{name: arguments[name] for name in APPEARANCE})
    appearance.check(uses_sound=False)
    # Imported here: JAX takes seconds, and --help needs none of it.
    from stavis_jax.cli.network import load_network
    from stavis_jax.streaming.session import LiveOptions, show_live
    from stavis_jax.streaming.source import LiveSource

    source = LiveSource(arguments["source"], dict(arguments["option"]), arguments["timeout"])
    source.check()
    how = {name: arguments[name] for name in ("port", "seconds", "retries", "lookahead")}
    show_live(
        source,
        load_network(arguments),
        LiveOptions(**how, appearance=appearance),
        say=lambda line: print(one_line(line), flush=True),
        warn=lambda line: log.warning("%s", line),
    )


def _check(arguments: dict) -> None:
    for flag in ("seconds", "timeout"):
        if arguments[flag] is not None and not 0 < arguments[flag] < math.inf:
            raise UserError(f"--{flag} {arguments[flag]:g}: is out of range. Give a number of seconds above 0.")
    if arguments["lookahead"] > LOOKAHEAD_FRAMES:
        raise UserError(f"--lookahead {arguments['lookahead']}: is out of range. Give 0 to {LOOKAHEAD_FRAMES} frames.")
    if arguments["port"] > 65535:
        raise UserError(f"--port {arguments['port']}: is out of range. Give 1 to 65535, or 0 for any free one.")


def _parser() -> CommandParser:
    parser = CommandParser("stavis_jax.live", __doc__, EXAMPLES)
    add = parser.add_argument
    source = "camera such as /dev/video0, address that FFmpeg reads (rtsp://, http://, udp://, ...), or film file"
    add("source", metavar="SOURCE", help=source)
    add("--port", type=non_negative_integer, default=0, metavar="N", help="port of the page; 0 takes any free one")
    add("--seconds", type=float, metavar="S", help="end after so many seconds of maps (default: go on)")
    lookahead = (
        "frames after a frame, 40 ms each, that its map waits for; 8 is how networks are trained, and fewer are sooner "
        "and less exact: the newest frame is repeated in their place"
    )
    add("--lookahead", type=non_negative_integer, default=LOOKAHEAD_FRAMES, metavar="0..8", help=lookahead)
    add_checkpoint_flags(parser)

    add = parser.add_argument_group("source").add_argument
    retries = "how often in a row a camera or stream that broke off is opened again, after 1, 2, 4, 8, 8, ... seconds"
    add("--retries", type=non_negative_integer, default=RETRIES, metavar="N", help=retries)
    timeout = "longest wait for a connection or for new data, in seconds"
    add("--timeout", type=float, default=TIMEOUT_SECONDS, metavar="S", help=timeout)
    option = "option of FFmpeg's reader, such as video_size=640x480 or rtsp_transport=tcp; repeat the flag for several"
    add("--option", type=_option, action="append", default=[], metavar="NAME=VALUE", help=option)

    defaults, add = OutputOptions(), parser.add_argument_group("appearance of the page").add_argument
    add("--colormap", metavar="NAME", help="colours of the heat map, any colormap of matplotlib")
    add("--opacity", type=float, metavar="0..1", help="opacity of the heat map at the most salient pixel")
    add("--view", choices=VIEWS, help="show the overlay alone, or the picture beside it")
    parser.set_defaults(**{name: getattr(defaults, name) for name in APPEARANCE})
    return parser


def _option(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, such as rtsp_transport=tcp, found {text!r}")
    return name, value


if __name__ == "__main__":
    main()
