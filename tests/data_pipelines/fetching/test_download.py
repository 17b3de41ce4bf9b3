"""Downloads from a server that breaks off, lies or is not there."""

import re

import pytest

from data_pipelines import fetch
from data_pipelines.fetching import download
from data_pipelines.runtime.errors import UserError

DIEM_FRAMES = "video_frames/DIEM"


def test_a_cut_download_continues_where_it_ended(server, raw, fetch_frames, files_below, frames, frame_files):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames()
    server.cuts = [700, 900]
    fetch_frames(server, raw)
    assert [asked for _, asked in server.requests] == [None, "bytes=700-", "bytes=1600-"]
    assert files_below(raw) == ["fetched.json", *frame_files]


def test_a_later_run_continues_a_cut_download(server, raw, fetch_frames, files_below, frames, frame_files):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames()
    server.cuts = [700, 0, 0, 0, 0]
    with pytest.raises(UserError, match=r"DIEM\.tar\.gz: 700 of \d+ bytes arrived\. Run the command again"):
        fetch_frames(server, raw)
    assert files_below(raw) == [".fetching/video_frames/DIEM.tar.gz.partial"]
    server.requests.clear()
    fetch_frames(server, raw)
    assert [asked for _, asked in server.requests] == ["bytes=700-"]
    assert files_below(raw) == ["fetched.json", *frame_files]


def test_a_download_that_only_lacked_its_name_is_not_repeated(
    server, raw, fetch_frames, files_below, frames, frame_files
):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames()
    partial = raw / ".fetching/video_frames/DIEM.tar.gz.partial"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(frames())
    fetch_frames(server, raw)
    assert [asked for _, asked in server.requests] == [f"bytes={len(frames())}-"]
    assert files_below(raw) == ["fetched.json", *frame_files]


def test_a_download_starts_again_where_ranges_are_ignored(server, raw, fetch_frames, files_below, frames, frame_files):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames()
    server.cuts, server.ignores_ranges = [700], True
    fetch_frames(server, raw)
    assert len(server.requests) == 2
    assert files_below(raw) == ["fetched.json", *frame_files]


def test_a_partial_file_longer_than_the_servers_starts_again(
    server, raw, fetch_frames, files_below, frames, frame_files
):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames()
    partial = raw / ".fetching/video_frames/DIEM.tar.gz.partial"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"x" * (len(frames()) + 1))
    fetch_frames(server, raw)
    assert files_below(raw) == ["fetched.json", *frame_files]


def test_fewer_bytes_than_announced_are_refused(server, raw, fetch_frames, frames):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames()
    server.extra_length, server.ignores_ranges = 10, True
    size = len(frames())
    with pytest.raises(UserError, match=f"{DIEM_FRAMES}.tar.gz: {size} of {size + 10} bytes arrived"):
        fetch_frames(server, raw)
    assert not (raw / "video_frames").exists()
    assert len(server.requests) < 10


def test_more_bytes_than_announced_are_refused(server, raw, fetch_frames, files_below, frames):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames()
    server.extra_length = -10
    with pytest.raises(UserError, match="damaged or cut short"):
        fetch_frames(server, raw)
    assert files_below(raw) == []


def test_missing_archive_on_the_server_ends_in_one_line(server, raw):
    with pytest.raises(SystemExit) as end:
        fetch.main(["--output", str(raw), "--databases", "AVAD", "--what", "audio", "--base-url", server.url])
    assert re.fullmatch(rf"error: {server.url}/video_audio/AVAD.tar.gz: .* 404 Not Found\. Check .*", end.value.code)
    assert not raw.exists()


def test_busy_server_is_asked_again_and_then_named(server, raw, fetch_frames, frames, capsys):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames()
    server.status = 503
    with pytest.raises(UserError, match=f"{DIEM_FRAMES}.tar.gz: the server answers 503"):
        fetch_frames(server, raw)
    assert len(server.requests) > 1
    tries = capsys.readouterr().err.splitlines()
    assert len(tries) == len(server.requests) - 1 and all(line.endswith(". Trying again.") for line in tries)
    assert not raw.exists()


def test_unreachable_server_is_named(server, raw, fetch_frames):
    server.server_close()  # its port refuses from now on
    with pytest.raises(
        UserError, match=rf"{server.url}/{DIEM_FRAMES}.tar.gz: the server cannot be reached \([A-Z].*refused"
    ):
        fetch_frames(server, raw)
    assert not raw.exists()


def test_full_disk_is_told_before_the_download(server, raw, monkeypatch, fetch_frames, files_below, frames):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames()
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: download.shutil._ntuple_diskusage(0, 0, 100))
    with pytest.raises(UserError, match="GB are free"):
        fetch_frames(server, raw)
    assert files_below(raw) == []
