"""The authors' archives from a server on this machine: interrupted, lying, damaged, malicious."""

import gzip
import hashlib
import http.server
import io
import json
import re
import tarfile
import threading

import pytest

from data_pipelines import download, fetch
from data_pipelines.errors import UserError

DIEM_FRAMES = "video_frames/DIEM"


def tar_gz(files: dict[str, bytes], *, links: dict[str, str] | None = None) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return gzip.compress(packed.getvalue(), mtime=0)


def frames(top: str = "DIEM/") -> bytes:
    # Bytes that do not compress, so that the archive is long enough to cut.
    noise = b"".join(hashlib.sha256(bytes([i])).digest() for i in range(100))
    return tar_gz({f"{top}clip/img_00001.jpg": noise, f"{top}clip/img_00002.jpg": b"two", f"{top}b/img_00001.jpg": b""})


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


def fetch_frames(server, raw, archives=None) -> list[str]:
    return fetch.fetch(raw, databases=["DIEM"], what=["video_frames"], base_url=server.url, archives=archives)


def files_below(folder) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


FRAME_FILES = [f"{DIEM_FRAMES}/{name}" for name in ("b/img_00001.jpg", "clip/img_00001.jpg", "clip/img_00002.jpg")]


def test_every_kind_lands_in_the_raw_layout(server, raw):
    server.files = {
        "video_frames/SumMe.tar.gz": tar_gz({"SumMe/a/img_00001.jpg": b"frame"}),
        "video_audio/SumMe.tar.gz": tar_gz({"SumMe/a/a.wav": b"sound"}),
        "annotations/SumMe.tar.gz": tar_gz({"SumMe/a/fixMap_00001.mat": b"1", "SumMe/a/maps/eyeMap_00001.jpg": b"2"}),
        "fold_lists.tar.gz": tar_gz({"fold_lists/SumMe_list_train_1_fps.txt": b"a 1 25"}),
        "pretrained_models.tar.gz": tar_gz(
            {"pretrained_models/soundnet8.pth": b"s", "pretrained_models/stavis_visual_only/v.pth": b"v"}
        ),
    }
    fetch.main(["--output", str(raw), "--databases", "SumMe", "--base-url", f"{server.url}/"])
    assert files_below(raw) == [
        "annotations/SumMe/a/fixMap_00001.mat",
        "annotations/SumMe/a/maps/eyeMap_00001.jpg",
        "fetched.json",
        "fold_lists/SumMe_list_train_1_fps.txt",
        "pretrained_models/soundnet8.pth",
        "pretrained_models/stavis_visual_only/v.pth",
        "video_audio/SumMe/a/a.wav",
        "video_frames/SumMe/a/img_00001.jpg",
    ]
    assert not (raw / ".fetching").exists()


@pytest.mark.parametrize("top", ["", "./", "DIEM/", "./video_frames/DIEM/", "data/stavis/video_frames/frames of DIEM/"])
def test_folders_above_the_videos_do_not_matter(server, raw, top):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames(top)
    assert fetch_frames(server, raw) == [DIEM_FRAMES]
    assert files_below(raw) == ["fetched.json", *FRAME_FILES]


def test_hidden_files_and_files_beside_the_content_stay_packed(server, raw):
    files = {"DIEM/a/img_00001.jpg": b"1", "DIEM/a/._img_00001.jpg": b"x", "__MACOSX/DIEM/a/img_00001.jpg": b"x"}
    server.files[f"{DIEM_FRAMES}.tar.gz"] = tar_gz({**files, "README": b"x"})
    fetch_frames(server, raw)
    assert files_below(raw) == ["fetched.json", f"{DIEM_FRAMES}/a/img_00001.jpg"]


def test_a_cut_download_continues_where_it_ended(server, raw):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames()
    server.cuts = [700, 900]
    fetch_frames(server, raw)
    assert [asked for _, asked in server.requests] == [None, "bytes=700-", "bytes=1600-"]
    assert files_below(raw) == ["fetched.json", *FRAME_FILES]


def test_a_later_run_continues_a_cut_download(server, raw):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames()
    server.cuts = [700, 0, 0, 0, 0]
    with pytest.raises(UserError, match=r"DIEM\.tar\.gz: 700 of \d+ bytes arrived\. Run the command again"):
        fetch_frames(server, raw)
    assert files_below(raw) == [".fetching/video_frames/DIEM.tar.gz.partial"]
    server.requests.clear()
    fetch_frames(server, raw)
    assert [asked for _, asked in server.requests] == ["bytes=700-"]
    assert files_below(raw) == ["fetched.json", *FRAME_FILES]


def test_a_download_that_only_lacked_its_name_is_not_repeated(server, raw):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames()
    partial = raw / ".fetching/video_frames/DIEM.tar.gz.partial"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(frames())
    fetch_frames(server, raw)
    assert [asked for _, asked in server.requests] == [f"bytes={len(frames())}-"]
    assert files_below(raw) == ["fetched.json", *FRAME_FILES]


def test_a_download_starts_again_where_ranges_are_ignored(server, raw):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames()
    server.cuts, server.ignores_ranges = [700], True
    fetch_frames(server, raw)
    assert len(server.requests) == 2
    assert files_below(raw) == ["fetched.json", *FRAME_FILES]


def test_a_partial_file_longer_than_the_servers_starts_again(server, raw):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames()
    partial = raw / ".fetching/video_frames/DIEM.tar.gz.partial"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"x" * (len(frames()) + 1))
    fetch_frames(server, raw)
    assert files_below(raw) == ["fetched.json", *FRAME_FILES]


def test_fewer_bytes_than_announced_are_refused(server, raw):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames()
    server.extra_length, server.ignores_ranges = 10, True
    size = len(frames())
    with pytest.raises(UserError, match=f"{DIEM_FRAMES}.tar.gz: {size} of {size + 10} bytes arrived"):
        fetch_frames(server, raw)
    assert not (raw / "video_frames").exists()
    assert len(server.requests) < 10


def test_more_bytes_than_announced_are_refused(server, raw):
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


def test_busy_server_is_asked_again_and_then_named(server, raw):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames()
    server.status = 503
    with pytest.raises(UserError, match=f"{DIEM_FRAMES}.tar.gz: the server answers 503"):
        fetch_frames(server, raw)
    assert len(server.requests) > 1
    assert not raw.exists()


def test_unreachable_server_is_named(server, raw):
    server.server_close()  # its port refuses from now on
    with pytest.raises(
        UserError, match=rf"{server.url}/{DIEM_FRAMES}.tar.gz: the server cannot be reached \(.*refused"
    ):
        fetch_frames(server, raw)
    assert not raw.exists()


def cut_tar(num_bytes: int) -> bytes:
    """Sound gzip around a tar that was cut."""
    return gzip.compress(gzip.decompress(frames())[:num_bytes])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(frames()[:-1], id="without its last byte"),
        pytest.param(frames()[:2000], id="half"),
        pytest.param(frames()[:1000] + bytes([frames()[1000] ^ 1]) + frames()[1001:], id="a wrong byte"),
        pytest.param(cut_tar(2000), id="tar cut in a file"),
        pytest.param(cut_tar(512 + 3584), id="tar cut between files"),
        pytest.param(cut_tar(512 + 3584 + 100), id="tar cut in a header"),
        pytest.param(b"<html>The server is being mended.</html>", id="a web page"),
        pytest.param(b"", id="nothing"),
    ],
)
@pytest.mark.parametrize("on_disk", [False, True])
def test_damaged_archive_leaves_nothing(server, raw, tmp_path, content, on_disk):
    archive = tmp_path / "archives" / f"{DIEM_FRAMES}.tar.gz"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(content)
    server.files[f"{DIEM_FRAMES}.tar.gz"] = content
    with pytest.raises(UserError, match=r"DIEM\.tar\.gz: the archive is damaged or cut short"):
        fetch_frames(server, raw, archives=tmp_path / "archives" if on_disk else None)
    assert not raw.exists() or files_below(raw) == []
    assert archive.read_bytes() == content


def test_a_fault_while_unpacking_leaves_nothing_unpacked(server, raw):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = tar_gz({"a/img_00001.jpg": b"1", "b": b"a file", "b/img_00001.jpg": b"2"})
    with pytest.raises(UserError, match="run the command again"):
        fetch_frames(server, raw)
    assert files_below(raw) == [".fetching/video_frames/DIEM.tar.gz"]  # the next run need not download it again


def test_a_killed_runs_remains_are_cleared(server, raw):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames()
    remains = raw / ".fetching" / f"{DIEM_FRAMES}.unpacked" / "gone" / "img_00001.jpg"
    remains.parent.mkdir(parents=True)
    remains.write_bytes(b"half")
    fetch_frames(server, raw)
    assert files_below(raw) == ["fetched.json", *FRAME_FILES]


@pytest.mark.parametrize("name", ["../outside", "DIEM/clip/../../../outside", "/outside"])
def test_a_path_that_leads_out_is_refused(server, raw, tmp_path, name):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = tar_gz({"DIEM/clip/img_00001.jpg": b"1", name: b"x"})
    with pytest.raises(UserError, match=f"not safe to unpack: '{name}' is a path that leads out"):
        fetch_frames(server, raw)
    assert files_below(tmp_path) == []


@pytest.mark.parametrize("target", ["../../../../outside", "/etc", "img_00001.jpg"])
def test_links_are_refused(server, raw, tmp_path, target):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = tar_gz({"DIEM/a/img_00001.jpg": b"1"}, links={"DIEM/a/link": target})
    with pytest.raises(UserError, match="not safe to unpack: 'DIEM/a/link' is a link"):
        fetch_frames(server, raw)
    assert files_below(tmp_path) == []


def test_archive_of_another_kind_is_refused(server, raw):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = tar_gz({"DIEM/clip/clip.wav": b"sound"})
    with pytest.raises(UserError, match="no file in it matches"):
        fetch_frames(server, raw)
    assert files_below(raw) == []


def test_archive_of_two_databases_is_refused(server, raw):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = tar_gz({"DIEM/a/img_00001.jpg": b"1", "AVAD/a/img_00001.jpg": b"2"})
    with pytest.raises(UserError, match="several folders"):
        fetch_frames(server, raw)


def test_what_is_done_is_skipped_and_recorded(server, raw, capsys):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = content = frames()
    fetch_frames(server, raw)
    assert json.loads((raw / "fetched.json").read_text()) == {
        DIEM_FRAMES: {
            "archive": f"{server.url}/{DIEM_FRAMES}.tar.gz",
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "entries": ["b", "clip"],
        }
    }
    server.requests.clear()
    assert fetch_frames(server, raw) == []
    fetch.main(["--output", str(raw), "--databases", "DIEM", "--what", "video_frames", "--base-url", server.url])
    assert "all was there already" in capsys.readouterr().out
    assert server.requests == []


def test_a_film_that_was_removed_comes_back(server, raw):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames()
    fetch_frames(server, raw)
    (raw / DIEM_FRAMES / "b/img_00001.jpg").unlink()
    (raw / DIEM_FRAMES / "b").rmdir()
    assert fetch_frames(server, raw) == [DIEM_FRAMES]
    assert files_below(raw) == ["fetched.json", *FRAME_FILES]


def test_parts_before_a_fault_stay_and_the_next_run_goes_on(server, raw):
    server.files["video_frames/DIEM.tar.gz"] = frames()
    with pytest.raises(UserError, match="AVAD"):
        fetch.fetch(raw, databases=["DIEM", "AVAD"], what=["video_frames"], base_url=server.url)
    assert files_below(raw) == ["fetched.json", *FRAME_FILES]
    server.files["video_frames/AVAD.tar.gz"] = frames("AVAD/")
    new = fetch.fetch(raw, databases=["DIEM", "AVAD"], what=["video_frames"], base_url=server.url)
    assert new == ["video_frames/AVAD"]
    assert list(json.loads((raw / "fetched.json").read_text())) == ["video_frames/DIEM", "video_frames/AVAD"]


def test_archives_on_disk_are_taken_and_kept(raw, tmp_path):
    archive = tmp_path / "archives" / f"{DIEM_FRAMES}.tar.gz"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(frames())
    arguments = ["--databases", "DIEM", "--what", "video_frames", "--archives", str(tmp_path / "archives")]
    fetch.main(["--output", str(raw), *arguments])
    assert files_below(raw) == ["fetched.json", *FRAME_FILES]
    assert archive.read_bytes() == frames()
    assert json.loads((raw / "fetched.json").read_text())[DIEM_FRAMES]["archive"] == str(archive)


def test_archive_missing_on_disk_is_named_before_anything_is_unpacked(raw, tmp_path):
    archive = tmp_path / "archives" / f"{DIEM_FRAMES}.tar.gz"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(frames())
    with pytest.raises(UserError, match=r"video_frames/AVAD\.tar\.gz: the archive is missing"):
        fetch.fetch(raw, databases=["DIEM", "AVAD"], what=["video_frames"], archives=tmp_path / "archives")
    assert not raw.exists()


def test_a_users_own_folder_is_left_alone(server, raw):
    own = raw / DIEM_FRAMES / "mine" / "img_00001.jpg"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"own")
    with pytest.raises(UserError, match="video_frames/DIEM: exists already"):
        fetch_frames(server, raw)
    assert server.requests == []
    assert own.read_bytes() == b"own"


def test_a_file_in_the_place_of_a_folder_is_named(server, raw):
    (raw / "video_frames").mkdir(parents=True)
    (raw / DIEM_FRAMES).write_text("a file")
    with pytest.raises(UserError, match=f"{DIEM_FRAMES}: Not a directory"):
        fetch_frames(server, raw)


def test_a_users_own_lists_stay_beside_the_fetched_ones(server, raw):
    (raw / "fold_lists").mkdir(parents=True)
    (raw / "fold_lists/Mine_list_train_fps.txt").write_text("own")
    server.files["fold_lists.tar.gz"] = tar_gz({"fold_lists/DIEM_list_train_fps.txt": b"a 1 30"})
    fetch.fetch(raw, what=["fold_lists"], base_url=server.url)
    lists = ["fold_lists/DIEM_list_train_fps.txt", "fold_lists/Mine_list_train_fps.txt"]
    assert files_below(raw) == ["fetched.json", *lists]


def test_a_users_list_of_the_same_name_is_not_replaced(server, raw):
    (raw / "fold_lists").mkdir(parents=True)
    (raw / "fold_lists/DIEM_list_train_fps.txt").write_text("own")
    server.files["fold_lists.tar.gz"] = tar_gz({"DIEM_list_train_fps.txt": b"a 1 30", "DIEM_list_test_fps.txt": b""})
    with pytest.raises(UserError, match=r"DIEM_list_train_fps\.txt: is in the way"):
        fetch.fetch(raw, what=["fold_lists"], base_url=server.url)
    assert files_below(raw / "fold_lists") == ["DIEM_list_train_fps.txt"]
    assert (raw / "fold_lists/DIEM_list_train_fps.txt").read_text() == "own"


def test_archive_with_another_checksum_than_known_is_refused(server, raw, monkeypatch):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames()
    monkeypatch.setitem(fetch.KNOWN_SHA256, DIEM_FRAMES, "0" * 64)
    with pytest.raises(UserError, match="its SHA-256 is"):
        fetch_frames(server, raw)
    assert files_below(raw) == []


def test_full_disk_is_told_before_unpacking(server, raw, monkeypatch):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames()
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: download.shutil._ntuple_diskusage(0, 0, 100))
    with pytest.raises(UserError, match="GB are free"):
        fetch_frames(server, raw)
    assert files_below(raw) == []


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--databases", "Diem"],
            "error: --databases: 'Diem' is not known. Choose from DIEM, Coutrot_db1, Coutrot_db2",
        ),
        (["--what", "frames"], "error: --what: 'frames' is not known. Choose from fold_lists, annotations, audio"),
        (["--base-url", "cvsp.cs.ntua.gr"], "error: --base-url: 'cvsp.cs.ntua.gr' is not an address"),
    ],
)
def test_unknown_choice_lists_the_valid_ones(raw, flags, message):
    with pytest.raises(SystemExit) as end:
        fetch.main(["--output", str(raw), *flags])
    assert end.value.code.startswith(message)
    assert not raw.exists()


@pytest.mark.parametrize("given", [["DIEM,ETMD_av"], ["DIEM", "ETMD_av"], ["ETMD,", "DIEM"]])
def test_databases_may_be_split_by_commas_or_spaces_and_named_as_in_the_paper(server, raw, given):
    server.files = {f"video_frames/{name}.tar.gz": frames() for name in ("DIEM", "ETMD_av")}
    flags = ["--output", str(raw), "--what", "video_frames", "--base-url", server.url]
    fetch.main([*flags, "--databases", *given])
    assert sorted(path.name for path in (raw / "video_frames").iterdir()) == ["DIEM", "ETMD_av"]
