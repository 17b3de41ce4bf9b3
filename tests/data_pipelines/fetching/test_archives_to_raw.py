"""What is fetched, where it lands, what is left alone."""

import hashlib
import json

import pytest

from data_pipelines import fetch
from data_pipelines.fetching import archives_to_raw
from data_pipelines.runtime.errors import UserError

DIEM_FRAMES = "video_frames/DIEM"


def test_every_kind_lands_in_the_raw_layout(server, raw, capsys, files_below, tar_gz):
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
    output = capsys.readouterr()
    parts = ["fold_lists", "annotations/SumMe", "video_audio/SumMe", "video_frames/SumMe", "pretrained_models"]
    assert output.err.splitlines() == [f"{raw}/{part}: done." for part in parts]
    assert output.out == f"{raw}: 5 unpacked ({', '.join(parts)}).\n"


def test_what_is_done_is_skipped_and_recorded(server, raw, capsys, fetch_frames, frames):
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
    assert "nothing was missing" in capsys.readouterr().out
    assert server.requests == []


def test_a_film_that_was_removed_comes_back(server, raw, fetch_frames, files_below, frames, frame_files):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames()
    fetch_frames(server, raw)
    (raw / DIEM_FRAMES / "b/img_00001.jpg").unlink()
    (raw / DIEM_FRAMES / "b").rmdir()
    assert fetch_frames(server, raw) == [DIEM_FRAMES]
    assert files_below(raw) == ["fetched.json", *frame_files]


def test_parts_before_a_fault_stay_and_the_next_run_goes_on(server, raw, files_below, frames, frame_files):
    server.files["video_frames/DIEM.tar.gz"] = frames()
    with pytest.raises(UserError, match="AVAD"):
        fetch.fetch(raw, databases=["DIEM", "AVAD"], what=["video_frames"], base_url=server.url)
    assert files_below(raw) == ["fetched.json", *frame_files]
    server.files["video_frames/AVAD.tar.gz"] = frames("AVAD/")
    new = fetch.fetch(raw, databases=["DIEM", "AVAD"], what=["video_frames"], base_url=server.url)
    assert new == ["video_frames/AVAD"]
    assert list(json.loads((raw / "fetched.json").read_text())) == ["video_frames/DIEM", "video_frames/AVAD"]


def test_archives_on_disk_are_taken_and_kept(raw, tmp_path, files_below, frames, frame_files):
    archive = tmp_path / "archives" / f"{DIEM_FRAMES}.tar.gz"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(frames())
    arguments = ["--databases", "DIEM", "--what", "video_frames", "--archives", str(tmp_path / "archives")]
    fetch.main(["--output", str(raw), *arguments])
    assert files_below(raw) == ["fetched.json", *frame_files]
    assert archive.read_bytes() == frames()
    assert json.loads((raw / "fetched.json").read_text())[DIEM_FRAMES]["archive"] == str(archive)


def test_archive_missing_on_disk_is_named_before_anything_is_unpacked(raw, tmp_path, frames):
    archive = tmp_path / "archives" / f"{DIEM_FRAMES}.tar.gz"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(frames())
    with pytest.raises(UserError, match=r"video_frames/AVAD\.tar\.gz: the archive is missing"):
        fetch.fetch(raw, databases=["DIEM", "AVAD"], what=["video_frames"], archives=tmp_path / "archives")
    assert not raw.exists()


def test_a_users_own_folder_is_left_alone(server, raw, fetch_frames):
    own = raw / DIEM_FRAMES / "mine" / "img_00001.jpg"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"own")
    with pytest.raises(UserError, match="video_frames/DIEM: exists already"):
        fetch_frames(server, raw)
    assert server.requests == []
    assert own.read_bytes() == b"own"


def test_a_file_in_the_place_of_a_folder_is_named(server, raw, fetch_frames):
    (raw / "video_frames").mkdir(parents=True)
    (raw / DIEM_FRAMES).write_text("a file")
    with pytest.raises(UserError, match=f"{DIEM_FRAMES}: Not a directory"):
        fetch_frames(server, raw)


def test_a_users_own_lists_stay_beside_the_fetched_ones(server, raw, files_below, tar_gz):
    (raw / "fold_lists").mkdir(parents=True)
    (raw / "fold_lists/Mine_list_train_fps.txt").write_text("own")
    server.files["fold_lists.tar.gz"] = tar_gz({"fold_lists/DIEM_list_train_fps.txt": b"a 1 30"})
    fetch.fetch(raw, what=["fold_lists"], base_url=server.url)
    lists = ["fold_lists/DIEM_list_train_fps.txt", "fold_lists/Mine_list_train_fps.txt"]
    assert files_below(raw) == ["fetched.json", *lists]


def test_a_users_list_of_the_same_name_is_not_replaced(server, raw, files_below, tar_gz):
    (raw / "fold_lists").mkdir(parents=True)
    (raw / "fold_lists/DIEM_list_train_fps.txt").write_text("own")
    server.files["fold_lists.tar.gz"] = tar_gz({"DIEM_list_train_fps.txt": b"a 1 30", "DIEM_list_test_fps.txt": b""})
    with pytest.raises(UserError, match=r"DIEM_list_train_fps\.txt: exists, and the archive holds one too"):
        fetch.fetch(raw, what=["fold_lists"], base_url=server.url)
    assert files_below(raw / "fold_lists") == ["DIEM_list_train_fps.txt"]
    assert (raw / "fold_lists/DIEM_list_train_fps.txt").read_text() == "own"


def test_archive_with_another_checksum_than_known_is_refused(
    server, raw, monkeypatch, fetch_frames, files_below, frames
):
    server.files[f"{DIEM_FRAMES}.tar.gz"] = frames()
    monkeypatch.setitem(archives_to_raw.KNOWN_SHA256, DIEM_FRAMES, "0" * 64)
    with pytest.raises(UserError, match="its SHA-256 is"):
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
def test_databases_may_be_split_by_commas_or_spaces_and_named_as_in_the_paper(server, raw, given, frames):
    server.files = {f"video_frames/{name}.tar.gz": frames() for name in ("DIEM", "ETMD_av")}
    flags = ["--output", str(raw), "--what", "video_frames", "--base-url", server.url]
    fetch.main([*flags, "--databases", *given])
    assert sorted(path.name for path in (raw / "video_frames").iterdir()) == ["DIEM", "ETMD_av"]
