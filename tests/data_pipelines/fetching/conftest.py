"""The authors' server on this machine, and archives for it."""

import hashlib

import pytest
from archive_server import pack, serving

from data_pipelines import fetch
from data_pipelines.fetching import download


def pack_frames(top: str = "DIEM/") -> bytes:
    # Bytes that do not compress, so that the archive is long enough to cut.
    noise = b"".join(hashlib.sha256(bytes([i])).digest() for i in range(100))
    return pack({f"{top}clip/img_00001.jpg": noise, f"{top}clip/img_00002.jpg": b"two", f"{top}b/img_00001.jpg": b""})


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download, "_PAUSE_SECONDS", 0.0)
    with serving() as server:
        yield server


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
