"""Serves the page: listens on an address, and keeps files in a temporary folder that is removed at the end."""

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

# Gradio and its libraries read these variables when they are imported.
QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_RUN_HISTORY": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
MAX_END_SECONDS = 60  # the network may be compiling


def is_loopback(host: str) -> bool:
    """Returns whether only this machine can reach an address or host name."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a host name
        return False


def in_address(host: str) -> str:
    """Returns a host as it is written in URLs: IPv6 addresses are shortened and put in brackets."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:  # a host name
        return host
    return f"[{ip}]" if ip.version == 6 else host


def names_served(host: str) -> list[str]:
    """Returns the host names for which a page that listens at `host` answers requests; "*" is any name.

    If only this machine can reach the page, it answers to its own names only. A site that points its name at this
    machine then cannot use the page.
    """
    return sorted({"127.0.0.1", "localhost", in_address(host)}) if is_loopback(host) else ["*"]


def serve(networks: Networks, *, host: str, port: int, max_megabytes: int, output: Path | None) -> None:
    """Serves the page until the process is stopped.

    Args:
      networks: the networks to choose from.
      host, port: the address to listen at.
      max_megabytes: size of the largest file that is accepted.
      output: folder to keep results in. By default they are removed with the page's temporary folder.

    Raises:
      UserError: the address is not available.
      OSError: `output` cannot be written.
    """
    _check_free(host, port)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the folder is removed, as after Ctrl-C
    with _own_folder() as folder:
        results = (output or folder / "results").resolve()
        results.mkdir(parents=True, exist_ok=True)
        os.environ.update(QUIET, GRADIO_TEMP_DIR=str(folder / "uploads"))
        for name in PROXIES:  # Gradio sends a request to its own address
            os.environ.pop(name, None)
        from starlette.middleware import Middleware
        from starlette.middleware.trustedhost import TrustedHostMiddleware

        from stavis_jax.web.page import STYLE, build_page, theme
        from stavis_jax.web.prediction import Work

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
        print(f"The page is at {page.local_url}. Press Ctrl-C to end it.", flush=True)
        try:
            threading.Event().wait()
        finally:
            work.end(MAX_END_SECONDS)  # before the folder is removed, so that nothing is written to it any more
            page.close(verbose=False)


@contextlib.contextmanager
def _own_folder() -> Iterator[Path]:
    """Yields a temporary folder that holds all temporary files of this process."""
    with tempfile.TemporaryDirectory(prefix="stavis-page-", ignore_cleanup_errors=True) as name:
        before, tempfile.tempdir = tempfile.tempdir, name
        try:
            yield Path(name).resolve()
        finally:
            tempfile.tempdir = before


def _check_free(host: str, port: int) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        raise UserError(
            f"--host {host} --port {port}: is not available ({error.strerror}). Use another --port."
        ) from error
