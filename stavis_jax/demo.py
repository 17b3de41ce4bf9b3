"""Command: a page in the browser where a film is dropped and its saliency is seen: overlay, gaze track, files.

Serves this machine only, until Ctrl-C. Films and results lie in a temporary folder that goes with it, or results in
--output. Needs the extra `demo`: pip install -e '.[demo]'.
"""

import argparse
import importlib.util
import logging
from collections.abc import Sequence
from pathlib import Path

from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError
from stavis_jax.cli.malloc import keep_big_buffers

EXAMPLE = "example: python -m stavis_jax.demo --checkpoint stavis.pth --checkpoint runs/demo-l3mul-s3"

log = logging.getLogger("stavis_jax")


@command
def main(argv: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(argv)
    if importlib.util.find_spec("gradio") is None:
        raise UserError("the page needs gradio, which is not installed. Install it with: pip install -e '.[demo]'")

    keep_big_buffers()
    # After the arguments: it imports JAX, which --help need not wait for.
    from stavis_jax.cli import compilation_cache
    from stavis_jax.web import server
    from stavis_jax.web.networks import Networks

    if not server.is_loopback(options.host):
        log.warning(
            "--host %s: whoever reaches this machine can use the page, without a password. "
            "Leave --host out to keep it to yourself.",
            options.host,
        )
    compilation_cache.enable()
    server.serve(
        Networks(options.checkpoint),
        host=options.host,
        port=options.port,
        max_megabytes=options.max_megabytes,
        output=options.output,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stavis_jax.demo",
        description=__doc__.removeprefix("Command: "),
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--checkpoint",
        required=True,
        action="append",
        type=Path,
        help="a .pth file, a converted directory or a training's workdir; once for each network to choose from",
    )
    parser.add_argument("--port", type=_port, default=7860, help="of the page's address, 1 to 65535; default: 7860")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; default: 127.0.0.1, this machine")
    parser.add_argument(
        "--max-megabytes", type=_positive, default=200, metavar="N", help="largest film taken, in MB; default: 200"
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="keep results, in DIR/<film>/; default: they go when the page ends"
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _port(text: str) -> int:
    number = _positive(text)
    if number > 65535:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    main()
