"""Serves the page: where it listens, what it takes, and a folder of its own that goes when it ends."""

import contextlib
import ipaddress
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from data_pipelines.runtime.errors import UserError
from stavis_jax.web.networks import Networks

# Read by Gradio and the libraries under it when they are imported.
QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_RUN_HISTORY": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
LONGEST_END_SECONDS = 60  # the network may be compiling


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches an address or name."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return False


def in_address(host: str) -> str:
    """A host as addresses of pages have it: IPv6 short and in brackets, all else as it is."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:  # a name
        return host
    return f"[{ip}]" if ip.version == 6 else host


def names_served(host: str) -> list[str]:
    """By what names a page that listens at `host` answers: its own if only this machine reaches it, else any.

    So another site's name that was made to point here is not served.
    """
    return sorted({"127.0.0.1", "localhost", in_address(host)}) if is_loopback(host) else ["*"]


def serve(networks: Networks, *, host: str, port: int, max_megabytes: int, output: Path | None) -> None:
    """Serves the page until the process is told to end.

    Args:
      networks: what it offers.
      host, port: where it listens.
      max_megabytes: larger files are not taken.
      output: where results stay; None: in the page's temporary folder, which goes.

    Raises:
      UserError: `host` or `port` cannot be listened at, or `output` cannot be written.
    """
    _check_free(host, port)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as after Ctrl-C, the folder goes
    with _own_folder() as folder:
        results = _made(output or folder / "results").resolve()
        os.environ.update(QUIET, GRADIO_TEMP_DIR=str(folder / "uploads"))
        for name in PROXIES:  # Gradio asks its own address whether it is up
            os.environ.pop(name, None)
        from starlette.middleware import Middleware
        from starlette.middleware.trustedhost import TrustedHostMiddleware

        from stavis_jax.web.page import STYLE, Work, build_page, theme

        work = Work()
        page = build_page(networks, results, work, max_megabytes)
        page.launch(
            server_name=in_address(host),
            server_port=port,
            prevent_thread_lock=True,
            quiet=True,
            inbrowser=False,
            share=False,
            root_path="",
            ssr_mode=False,
            mcp_server=False,
            pwa=False,
            enable_monitoring=False,
            footer_links=[],
            max_file_size=f"{max_megabytes}mb",
            allowed_paths=[str(results)],
            app_kwargs={"middleware": [Middleware(TrustedHostMiddleware, allowed_hosts=names_served(host))]},
            theme=theme(),
            css=STYLE,
        )
        print(f"The page is at {page.local_url} and ends with Ctrl-C.", flush=True)
        try:
            threading.Event().wait()
        finally:
            work.end(LONGEST_END_SECONDS)  # nothing is written into the folder any more when it goes
            page.close(verbose=False)


@contextlib.contextmanager
def _own_folder() -> Iterator[Path]:
    """A temporary folder that all temporary files of this process lie in."""
    with tempfile.TemporaryDirectory(prefix="stavis-page-", ignore_cleanup_errors=True) as name:
        before, tempfile.tempdir = tempfile.tempdir, name
        try:
            yield Path(name).resolve()
        finally:
            tempfile.tempdir = before


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}). Give another --output.") from error
    return folder


def _check_free(host: str, port: int) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        raise UserError(
            f"--host {host} --port {port}: cannot be listened at ({error.strerror}). Give another --port."
        ) from error
