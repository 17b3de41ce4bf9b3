"""Archives that are packed in other ways, damaged, malicious or too large."""

import gzip
import io
import tarfile

import pytest

from data_pipelines.fetching import download
from data_pipelines.runtime.errors import UserError

DIEM_FRAMES = "video_frames/DIEM"


@pytest.mark.parametrize("top", ["", "./", "DIEM/", "./video_frames/DIEM/", "data/stavis/video_frames/frames of DIEM/"])
def test_folders_above_the_videos_do_not_matter(server, raw, top, fetch_frames, files_below, frames, frame_files):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames(top)
    assert fetch_frames(server, raw) == [DIEM_FRAMES]
    assert files_below(raw) == ["fetched.json", *frame_files]


def test_hidden_files_and_files_beside_the_content_stay_packed(server, raw, fetch_frames, files_below, tar_gz):
    files = {"DIEM/a/img_00001.jpg": b"1", "DIEM/a/._img_00001.jpg": b"x", "__MACOSX/DIEM/a/img_00001.jpg": b"x"}
    server.files[f"{DIEM_FRAMES}.tar.gz"] = tar_gz({**files, "README": b"x"})
    fetch_frames(server, raw)
    assert files_below(raw) == ["fetched.json", f"{DIEM_FRAMES}/a/img_00001.jpg"]


def cut_tar(num_bytes: int):
    """Sound gzip around a tar that was cut."""
    return lambda whole: gzip.compress(gzip.decompress(whole)[:num_bytes])


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda whole: whole[:-1], id="without its last byte"),
        pytest.param(lambda whole: whole[:2000], id="half"),
        pytest.param(lambda whole: whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:], id="a wrong byte"),
        pytest.param(cut_tar(2000), id="tar cut in a file"),
        pytest.param(cut_tar(512 + 3584), id="tar cut between files"),
        pytest.param(cut_tar(512 + 3584 + 100), id="tar cut in a header"),
        pytest.param(lambda _: b"<html>The server is being mended.</html>", id="a web page"),
        pytest.param(lambda _: b"", id="nothing"),
    ],
)
@pytest.mark.parametrize("on_disk", [False, True])
def test_damaged_archive_leaves_nothing(server, raw, tmp_path, damage, on_disk, fetch_frames, files_below, frames):
    content = damage(frames())
    archive = tmp_path / "archives" / f"{DIEM_FRAMES}.tar.gz"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(content)
    server.files[f"{DIEM_FRAMES}.tar.gz"] = content
    with pytest.raises(UserError, match=r"DIEM\.tar\.gz: the archive is damaged or cut short"):
        fetch_frames(server, raw, archives=tmp_path / "archives" if on_disk else None)
    assert not raw.exists() or files_below(raw) == []
    assert archive.read_bytes() == content


def test_a_fault_while_unpacking_leaves_nothing_unpacked(server, raw, fetch_frames, files_below, tar_gz):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = tar_gz({"a/img_00001.jpg": b"1", "b": b"a file", "b/img_00001.jpg": b"2"})
    with pytest.raises(UserError, match="run the command again"):
        fetch_frames(server, raw)
    assert files_below(raw) == [".fetching/video_frames/DIEM.tar.gz"]  # the next run need not download it again


def test_a_killed_runs_remains_are_cleared(server, raw, fetch_frames, files_below, frames, frame_files):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames()
    remains = raw / ".fetching" / f"{DIEM_FRAMES}.unpacked" / "gone" / "img_00001.jpg"
    remains.parent.mkdir(parents=True)
    remains.write_bytes(b"half")
    fetch_frames(server, raw)
    assert files_below(raw) == ["fetched.json", *frame_files]


@pytest.mark.parametrize("name", ["../outside", "DIEM/clip/../../../outside", "/outside"])
def test_a_path_that_leads_out_is_refused(server, raw, tmp_path, name, fetch_frames, files_below, tar_gz):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = tar_gz({"DIEM/clip/img_00001.jpg": b"1", name: b"x"})
    with pytest.raises(UserError, match=f"not safe to unpack: '{name}' is a path that leads out"):
        fetch_frames(server, raw)
    assert files_below(tmp_path) == []


def special(kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo("DIEM/a/odd")
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    "member",
    [
        pytest.param(special(tarfile.SYMTYPE, "../../../../outside"), id="link that leads out"),
        pytest.param(special(tarfile.SYMTYPE, "/etc"), id="link to the system"),
        pytest.param(special(tarfile.SYMTYPE, "img_00001.jpg"), id="link that stays inside"),
        pytest.param(special(tarfile.LNKTYPE, "DIEM/a/img_00001.jpg"), id="second name"),
        pytest.param(special(tarfile.CHRTYPE), id="terminal"),
        pytest.param(special(tarfile.BLKTYPE), id="disk"),
        pytest.param(special(tarfile.FIFOTYPE), id="pipe"),
    ],
)
def test_links_and_devices_are_refused(server, raw, tmp_path, member, fetch_frames, files_below, tar_gz):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = tar_gz({"DIEM/a/img_00001.jpg": b"1"}, member)
    with pytest.raises(UserError, match="not safe to unpack: 'DIEM/a/odd' is a link or a device"):
        fetch_frames(server, raw)
    assert files_below(tmp_path) == []


def bomb(num_bytes: int, *, after_the_end: bool = False) -> bytes:
    """An archive of zeros, a thousandth of what it unpacks to."""
    packed = io.BytesIO()
    with gzip.open(packed, "wb") as stream:
        member = tarfile.TarInfo("DIEM/a/img_00001.jpg")
        member.size = 0 if after_the_end else num_bytes
        stream.write(member.tobuf() + bytes(1024 if after_the_end else 0))
        for _ in range(num_bytes >> 20):
            stream.write(bytes(1 << 20))
        stream.write(bytes(1024))
    return packed.getvalue()


@pytest.mark.parametrize("after_the_end", [False, True])
def test_an_archive_that_unpacks_to_more_than_the_disk_holds_is_refused_unread(
    server, raw, monkeypatch, after_the_end, fetch_frames, files_below
):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = packed = bomb(32 << 20, after_the_end=after_the_end)
    free = 4 << 20
    assert len(packed) < free
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: download.shutil._ntuple_diskusage(0, 0, free))
    largest, read = [0], gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda file, *size: (read(file, *size), largest.append(file.tell()))[0])
    with pytest.raises(UserError, match=r"DIEM\.tar\.gz: unpacks to 0\.0 GB or more, and 0\.0 GB are free"):
        fetch_frames(server, raw)
    assert max(largest) <= free + (1 << 20)
    assert files_below(raw) == [
        ".fetching/video_frames/DIEM.tar.gz"
    ]  # it may be sound: with room, the next run goes on


def test_archive_of_another_kind_is_refused(server, raw, fetch_frames, files_below, tar_gz):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = tar_gz({"DIEM/clip/clip.wav": b"sound"})
    with pytest.raises(UserError, match="no file in it matches"):
        fetch_frames(server, raw)
    assert files_below(raw) == []


def test_archive_of_two_databases_is_refused(server, raw, fetch_frames, tar_gz):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = tar_gz({"DIEM/a/img_00001.jpg": b"1", "AVAD/a/img_00001.jpg": b"2"})
    with pytest.raises(UserError, match="several folders"):
        fetch_frames(server, raw)
