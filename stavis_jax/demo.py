"""Command: serves a browser page that predicts the saliency of films dropped on it.

The page shows the overlay film and the gaze track, and offers both and the maps for download. Only this machine can
reach the page. Ctrl-C ends it. Films and results are kept in a temporary folder, which is removed at the end; --output
keeps the results. Requires the extra `demo`: pip install -e '.[demo]'.
"""

import argparse
import importlib.util
import logging
from collections.abc import Sequence
from pathlib import Path

from data_pipelines.runtime.arguments import CommandParser, positive_integer
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError
from stavis_jax.cli.checkpoint_flags import CHECKPOINT, add_base_url, add_dtype
from stavis_jax.cli.process import enable_compilation_cache, keep_big_buffers

log = logging.getLogger("stavis_jax")


@command
def main(argv: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(argv)
    if importlib.util.find_spec("gradio") is None:
        raise UserError("the page needs gradio, which is not installed. Install it with: pip install -e '.[demo]'")

    keep_big_buffers()
    # Imported here: JAX takes seconds, and --help needs none of it.
    from stavis_jax.web import server
    from stavis_jax.web.networks import Networks
    from stavis_jax.weights.named_checkpoints import announce_starter, locate

    if not server.is_loopback(options.host):
        log.warning(
            "--host %s: the page needs no password, and anyone who can reach this machine can use it. "
            "Remove --host to serve this machine only.",
            options.host,
        )
    enable_compilation_cache()
    paths = [locate(checkpoint, options.base_url) for checkpoint in options.checkpoint or [None]]
    if not options.checkpoint:
        announce_starter()
    server.serve(
        Networks(paths, options.dtype),
        host=options.host,
        port=options.port,
        max_megabytes=options.max_megabytes,
        output=options.output,
    )


def _parser() -> CommandParser:
    parser = CommandParser(
        "stavis_jax.demo", __doc__, "--port 8000\n--checkpoint stavis --checkpoint starter --checkpoint runs/demo"
    )
    add = parser.add_argument
    add(
        "--checkpoint",
        action="append",
        type=Path,
        metavar="PATH|NAME",
        help=f"{CHECKPOINT}; repeat the flag to offer several (default: starter)",
    )
    add_base_url(parser)
    add_dtype(parser)
    add("--port", type=_port, default=7860, metavar="N", help="port of the page's address")
    add(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to listen on; any address but this machine's own opens the page to others",
    )
    add("--max-megabytes", type=positive_integer, default=200, metavar="N", help="size of the largest film, in MB")
    add("--output", type=Path, metavar="DIR", help="folder to keep results in, as DIR/<film>/ (default: not kept)")
    return parser


def _port(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"expected a number from 1 to 65535, found {text!r}")
    return int(text)


if __name__ == "__main__":
    main()
