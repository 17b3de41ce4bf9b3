"""Tests named checkpoints: the packaged one, and those that are fetched from a local server and cached."""

import logging
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from archive_server import pack, serving

from data_pipelines.fetching import download
from data_pipelines.runtime.errors import UserError
from stavis_jax import convert
from stavis_jax.experiments.stages import VISUAL_PARTS, StartWeights
from stavis_jax.weights import named_checkpoints
from stavis_jax.weights.directory import read_weights, save_weights
from stavis_jax.weights.loading import load_weights
from stavis_jax.weights.named_checkpoints import FETCHED, STARTER_DIRECTORY, cache_folder, locate
from stavis_jax.weights.pytorch_weights import read_pytorch_weights

ARCHIVE = "pretrained_models.tar.gz"


@pytest.fixture(scope="module")
def soundnet(write_golden_checkpoint):
    return write_golden_checkpoint("soundnet8")


@pytest.fixture(scope="module")
def archive(soundnet) -> bytes:
    """The archive with two of its files, of which one is no checkpoint."""
    files = {"soundnet8.pth": soundnet.read_bytes(), "stavis_visual_only/visual_split2_save_60.pth": b"damaged"}
    return pack({f"pretrained_models/{name}": content for name, content in files.items()})


@pytest.fixture
def server(archive, monkeypatch, tmp_path):
    """A server with the archive, in place of the authors'. The cache is empty."""
    monkeypatch.setattr(download, "_PAUSE_SECONDS", 0.0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    with serving() as server:
        monkeypatch.setattr(named_checkpoints, "BASE_URL", server.url)
        server.files[ARCHIVE] = archive
        yield server


def test_a_name_is_fetched_and_converted_once_and_it_says_where_and_whom_to_cite(server, soundnet, capsys, tmp_path):
    weights, info = load_weights("soundnet8")
    expected = read_pytorch_weights(soundnet).weights
    assert info.source == "soundnet8.pth" and weights.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(weights[name], array)
    folder = tmp_path / "cache/stavis_jax/checkpoints"
    assert cache_folder() == folder
    assert capsys.readouterr().err.splitlines() == [
        f"soundnet8: fetching the authors' models to {folder}, once.",
        f"{folder}/pretrained_models: done.",
        f"soundnet8: converted to {folder}/soundnet8. Terms: if you use it, cite Aytar, Vondrick and Torralba, NIPS "
        "2016 (http://cvsp.cs.ntua.gr/research/stavis/).",
    ]
    assert locate("soundnet8") == folder / "soundnet8"
    assert len(server.requests) == 1 and capsys.readouterr().err == ""


def test_a_converted_name_needs_no_server_and_a_fetched_one_neither(server):
    directory = locate("soundnet8")
    server.files.clear()
    assert locate("soundnet8") == directory
    shutil.rmtree(directory)
    assert locate("soundnet8") == directory and directory.is_dir()
    assert len(server.requests) == 1


def test_an_interrupted_download_goes_on(server, archive):
    server.cuts = [len(archive) // 3] * 4
    assert locate("soundnet8").is_dir()
    assert len(server.requests) == 3 and all(asked for _, asked in server.requests[1:])


@pytest.mark.parametrize("fault", ["down", "refuses", "damaged"])
def test_a_server_that_fails_is_one_line_with_the_ways_out(fault, server, archive, tmp_path):
    url = server.url
    if fault == "down":
        url = "http://127.0.0.1:9"
    elif fault == "refuses":
        server.status = 404
    else:
        server.files[ARCHIVE] = archive[:-9]
    with pytest.raises(UserError, match=rf"^{url}/{ARCHIVE}: [^\n]+$") as raised:
        locate("soundnet8", url)
    folder = cache_folder()
    assert str(raised.value).endswith(
        "Give a local file in place of soundnet8, or fetch from a mirror: "
        f"python -m data_pipelines.fetch --what pretrained --output {folder} --base-url URL."
    )
    assert not (folder / "soundnet8").exists()


def test_a_mirror_is_asked_in_place_of_the_authors_server(server, monkeypatch):
    monkeypatch.setattr(named_checkpoints, "BASE_URL", "http://127.0.0.1:9")
    assert locate("soundnet8", server.url).is_dir()


def test_convert_asks_a_mirror_and_writes_the_file_again(server, soundnet, tmp_path, monkeypatch):
    monkeypatch.setattr(named_checkpoints, "BASE_URL", "http://127.0.0.1:9")
    convert.main(["soundnet8", "--output", str(tmp_path / "again.pth"), "--base-url", server.url])
    again, expected = (read_pytorch_weights(path).weights for path in (tmp_path / "again.pth", soundnet))
    for name, array in expected.items():
        np.testing.assert_array_equal(again[name], array)


def test_runs_that_start_at_once_fetch_once(server):
    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(locate, ["soundnet8"] * 3))) == 1
    assert len(server.requests) == 1


def test_files_that_the_archive_lacks_or_that_are_damaged_are_named(server):
    with pytest.raises(UserError, match=r"audiovisual_split1_save_60\.pth: is not in the authors' archive"):
        locate("stavis")
    with pytest.raises(UserError, match=r"visual_split2_save_60\.pth: not a PyTorch checkpoint, or damaged") as raised:
        locate("stavis-visual-split2")
    assert str(raised.value).endswith(f"remove {cache_folder()}/pretrained_models to fetch it again.")


@pytest.mark.parametrize("file", ["weights.safetensors", "stavis.json"])
def test_a_damaged_cached_checkpoint_says_what_to_remove_and_is_then_made_again(file, server):
    directory = locate("soundnet8")
    (directory / file).write_bytes(b"damaged")
    with pytest.raises(UserError) as raised:
        load_weights(directory)
    assert str(raised.value).endswith(f" Remove {directory}: it is made again at its next use.")
    shutil.rmtree(directory)
    assert load_weights("soundnet8")[0]


def test_a_damaged_fetched_file_is_fetched_again_once_its_folder_is_removed(server):
    file = locate("soundnet8").with_name("pretrained_models") / "soundnet8.pth"
    shutil.rmtree(cache_folder() / "soundnet8")
    file.write_bytes(b"damaged")
    with pytest.raises(UserError, match=f"remove {file.parent} to fetch it again"):
        locate("soundnet8")
    shutil.rmtree(file.parent)
    assert load_weights("soundnet8")[0]


def test_a_path_of_the_same_name_is_taken_and_it_says_so(server, soundnet, tmp_path, caplog):
    weights, info, *_ = read_pytorch_weights(soundnet)
    save_weights(tmp_path / "stavis", weights, info)
    assert load_weights("stavis")[1].source == info.source
    assert caplog.messages == [
        f"stavis: is taken from {tmp_path}/stavis. For the named checkpoint, run from another folder or rename it."
    ]
    assert server.requests == []


def test_start_weights_of_a_training_may_be_names(server, caplog):
    with caplog.at_level(logging.WARNING):
        assert StartWeights("soundnet", "soundnet", ("soundnet",), Path("soundnet8")).load()
    assert not caplog.messages


def test_other_names_are_paths_and_their_error_lists_the_names(server, tmp_path):
    assert locate("stavis-split4") == Path("stavis-split4")
    with pytest.raises(UserError, match="stavis-split4: no such file or directory.* starter, stavis, stavis-split2, "):
        load_weights("stavis-split4")
    assert server.requests == []


def test_every_file_of_the_archive_has_a_name_and_the_first_split_has_two(server, archive, write_golden_checkpoint):
    assert len({named.file for named in FETCHED.values()}) == 8
    path = write_golden_checkpoint("audiovisual_resnet10")
    server.files[ARCHIVE] = pack({f"pretrained_models/{FETCHED['stavis'].file}": path.read_bytes()})
    assert locate("stavis-split1") == locate("stavis")
    assert load_weights("stavis")[1].variant == "l3mul-s3"


def test_the_starter_is_in_the_package_and_sees_the_picture_only(server):
    assert locate("starter") == locate(None) == STARTER_DIRECTORY
    weights, info = load_weights("starter")
    assert (info.kind, info.variant, info.depth, info.size) == ("stavis", "visual", 10, 112)
    assert all(array.dtype == np.float32 and np.isfinite(array).all() for array in weights.values())
    assert not any(name.startswith("soundnet/") for name in weights)
    assert server.requests == [] and not cache_folder().exists()


def test_a_path_called_starter_is_taken_for_the_name_but_not_without_one(soundnet, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    weights, info, *_ = read_pytorch_weights(soundnet)
    save_weights(tmp_path / "starter", weights, info)
    assert load_weights("starter")[1].kind == "soundnet"
    assert len(caplog.messages) == 1
    assert load_weights(None)[1].kind == "stavis"
    assert len(caplog.messages) == 1


def test_a_server_for_the_starter_is_refused():
    with pytest.raises(UserError, match="^--base-url http://mirror: the starter network is not fetched. Give --ch"):
        locate(None, "http://mirror")


@pytest.mark.parametrize("checkpoint", [None, "starter"])
@pytest.mark.parametrize("file", [".", "stavis.json", "weights.safetensors"])
def test_an_installation_that_lacks_the_starter_says_so_in_one_line(checkpoint, file, tmp_path, monkeypatch):
    broken = tmp_path / "packaged"
    shutil.copytree(STARTER_DIRECTORY, broken)
    shutil.rmtree(broken) if file == "." else (broken / file).unlink()
    monkeypatch.setattr(named_checkpoints, "STARTER_DIRECTORY", broken)
    with pytest.raises(UserError, match=rf"^{broken}[^\n]* Install stavis-jax again\.$"):
        load_weights(checkpoint)


def test_a_damaged_starter_says_to_install_again(tmp_path, monkeypatch):
    damaged = tmp_path / "packaged"
    shutil.copytree(STARTER_DIRECTORY, damaged)
    with (damaged / "weights.safetensors").open("r+b") as file:
        file.truncate(9999)
    monkeypatch.setattr(named_checkpoints, "STARTER_DIRECTORY", damaged)
    with pytest.raises(UserError, match=r"damaged \(its checksum has changed\)\. Install stavis-jax again\.$"):
        load_weights(None)


def test_a_training_may_start_from_the_starter():
    weights = StartWeights("visual", "stavis", VISUAL_PARTS, Path("starter")).load()
    assert {name.split("/")[0] for name in weights} == set(VISUAL_PARTS)
    whole = StartWeights("audiovisual", "stavis", VISUAL_PARTS, Path("starter"), variant="l3mul-s3")
    with pytest.raises(UserError, match="audiovisual=starter: holds a visual network. Give it as --config.init.visual"):
        whole.load()


@pytest.mark.slow
def test_the_starter_becomes_a_pytorch_file_and_a_directory(tmp_path):
    expected = load_weights("starter")[0]
    convert.main(["starter", "--output", str(tmp_path / "starter.pth")])
    from_file = load_weights(tmp_path / "starter.pth")
    convert.main(["starter", "--half", "--output", str(tmp_path / "copy")])
    from_copy = read_weights(tmp_path / "copy")
    for weights, info in (from_file, from_copy):
        assert info.variant == "visual"
        for name, array in expected.items():
            np.testing.assert_array_equal(weights[name], array)
