"""Serves the overlays on loopback: a page, an MJPEG stream, and the newest picture."""

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from data_pipelines.runtime.errors import UserError
from stavis_jax.streaming.overlays import Overlay, Overlays

HOST = "127.0.0.1"
MOST_VIEWERS = 16
WAIT_SECONDS = 1.0  # for an overlay, before a viewer is looked after again
STALLED_SECONDS = 30.0  # a viewer that takes nothing for so long is left
PICTURE_SECONDS = 10.0  # the longest wait for a single picture
BOUNDARY = "overlay"
PAGE = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>stavis_jax live</title>
<style>body{margin:0;background:#111}img{display:block;margin:auto;max-width:100vw;max-height:100vh}</style>
<img src="/stream.mjpg" alt="the newest frame with its saliency">
</html>
"""


@contextlib.contextmanager
def serving(overlays: Overlays, port: int) -> Iterator[str]:
    """Serves until the end of the block. Yields the address of the page.

    `port` 0 takes any free one. Raises UserError if the port is not available.
    """
    try:
        server = _Server((HOST, port), overlays)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or "it is out of range"
        raise UserError(f"--port {port}: is not available ({why}). Give another, or 0 for any free one.") from error
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="live page", daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a viewer may be stalled

    def __init__(self, address: tuple[str, int], overlays: Overlays):
        super().__init__(address, _Handler)
        self.overlays = overlays
        self.viewers = threading.BoundedSemaphore(MOST_VIEWERS)

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing: viewers come and go."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = STALLED_SECONDS
    server_version, sys_version = "stavis_jax", ""

    def do_GET(self) -> None:
        # A page of another site whose name points at this machine must not see the pictures.
        if self.headers.get("Host", "").partition(":")[0] not in (HOST, "localhost"):
            return self.send_error(403, "This page answers to its own address only")
        if self.path == "/":
            return self._send(PAGE, "text/html; charset=utf-8")
        if self.path not in ("/stream.mjpg", "/newest.jpg"):
            return self.send_error(404)
        if not self.server.viewers.acquire(blocking=False):
            return self.send_error(503, f"{MOST_VIEWERS} viewers watch already")
        try:
            with self.server.overlays.watching():
                self._stream() if self.path == "/stream.mjpg" else self._picture()
        finally:
            self.server.viewers.release()

    def _picture(self) -> None:
        overlay = self.server.overlays.next(self.server.overlays.num_maps - 1, PICTURE_SECONDS)
        if overlay is None:
            return self.send_error(503, "There is no map yet")
        self._send(overlay.jpeg, "image/jpeg", overlay)

    def _stream(self) -> None:
        self.send_response(200)
        self._send_headers(f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        last = self.server.overlays.num_maps - 1
        while not self.server.overlays.is_closed:
            overlay = self.server.overlays.next(last, WAIT_SECONDS)
            if overlay is None:
                if self._has_left():
                    return
                continue
            last = overlay.serial
            head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(overlay.jpeg)}\r\n"
            self.wfile.write(f"{head}X-Frame: {overlay.frame_number}\r\n\r\n".encode() + overlay.jpeg + b"\r\n")

    def _has_left(self) -> bool:
        """Returns whether the viewer has closed the connection, which no write shows while there is no map."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)

    def _send(self, content: bytes, kind: str, overlay: Overlay | None = None) -> None:
        self.send_response(200)
        if overlay:
            self.send_header("X-Frame", str(overlay.frame_number))
        self.send_header("Content-Length", str(len(content)))
        self._send_headers(kind)
        self.wfile.write(content)

    def _send_headers(self, kind: str) -> None:
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""
