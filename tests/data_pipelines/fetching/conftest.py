"""The authors' server on this machine, and archives for it."""

import gzip
import hashlib
import http.server
import io
import re
import tarfile
import threading

import pytest

from data_pipelines import fetch
from data_pipelines.fetching import download


def pack(files: dict[str, bytes], *members: tarfile.TarInfo) -> bytes:
    """A .tar.gz of files (name -> content), and of members without content."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for member in members:
            tar.addfile(member)
    return gzip.compress(packed.getvalue(), mtime=0)


def pack_frames(top: str = "DIEM/") -> bytes:
    # Bytes that do not compress, so that the archive is long enough to cut.
    noise = b"".join(hashlib.sha256(bytes([i])).digest() for i in range(100))
    return pack({f"{top}clip/img_00001.jpg": noise, f"{top}clip/img_00002.jpg": b"two", f"{top}b/img_00001.jpg": b""})


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` (path -> content). `cuts`: bytes after which one answer each breaks off."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.cuts: list[int] = []
        self.ignores_ranges = False
        self.extra_length = 0
        self.status: int | None = None
        self.requests: list[tuple[str, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/data"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, asked = self.server, self.headers.get("Range")
        server.requests.append((self.path, asked))
        content = server.files.get(self.path.removeprefix("/data/"))
        if content is None or server.status:
            self.send_error(server.status or 404)
            return
        total, start = len(content) + server.extra_length, 0
        if asked and not server.ignores_ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(total - start))
        self.end_headers()
        self.wfile.write(content[start:][: server.cuts.pop(0) if server.cuts else None])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download, "_PAUSE_SECONDS", 0.0)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def raw(tmp_path):
    return tmp_path / "raw"


@pytest.fixture
def tar_gz():
    return pack


@pytest.fixture
def frames():
    return pack_frames


@pytest.fixture
def frame_files() -> list[str]:
    """What `frames` unpacks to, as DIEM's."""
    return [f"video_frames/DIEM/{name}" for name in ("b/img_00001.jpg", "clip/img_00001.jpg", "clip/img_00002.jpg")]


@pytest.fixture
def fetch_frames():
    def run(server, raw, archives=None) -> list[str]:
        return fetch.fetch(raw, databases=["DIEM"], what=["video_frames"], base_url=server.url, archives=archives)

    return run


@pytest.fixture
def files_below():
    def names(folder) -> list[str]:
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())

    return names
