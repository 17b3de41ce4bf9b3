import os

import pytest

from data_pipelines.runtime.errors import UserError
from stavis_jax.convert import main
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.weights.conversion import directory_to_pytorch, pytorch_to_directory
from stavis_jax.weights.directory import read_info, read_weights, save_weights

torch = pytest.importorskip("torch")

SPEC = "audiovisual_resnet10"


def run(capsys, *arguments) -> str:
    main([str(argument) for argument in arguments])
    return capsys.readouterr().out


def error_of(capsys, *arguments) -> str:
    """The one line that a failing command prints."""
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    assert stopped.value.code not in (0, None)
    captured = capsys.readouterr()
    assert captured.out == ""
    message = str(stopped.value.code)
    assert "\n" not in message
    return message


def state_of(path) -> dict:
    content = torch.load(path)
    return content.get("state_dict", content)


@pytest.mark.slow
@pytest.mark.parametrize("container", ["zip", "legacy", "cuda"])
@pytest.mark.parametrize("spec", [SPEC, "audiovisual_resnet18_shortcutA", "soundnet8"])
def test_there_and_back_changes_no_bit(spec, container, write_golden_checkpoint, tmp_path, capsys):
    original = write_golden_checkpoint(spec, 0, "plain", container)
    run(capsys, original, "--output", tmp_path / "converted")
    run(capsys, tmp_path / "converted", "--output", tmp_path / "back.pth")
    theirs = torch.load(original, map_location="cpu")
    theirs, ours = theirs.get("state_dict", theirs), state_of(tmp_path / "back.pth")
    assert list(ours) == list(theirs)
    for key, tensor in theirs.items():
        assert ours[key].dtype == tensor.dtype
        assert torch.equal(ours[key], tensor), key


def test_outer_fields_come_back_as_the_authors_code_wants_them(write_golden_checkpoint, tmp_path, capsys):
    run(capsys, write_golden_checkpoint(SPEC), "--output", tmp_path / "converted")
    run(capsys, tmp_path / "converted", "--output", tmp_path / "back.pth")
    content = torch.load(tmp_path / "back.pth")
    assert list(content) == ["epoch", "arch", "state_dict"]
    assert (content["epoch"], content["arch"]) == (61, "resnet-10")


@pytest.mark.slow
def test_kinetics_classifier_becomes_a_trunk_and_says_what_it_leaves_out(write_golden_checkpoint, tmp_path, capsys):
    original = write_golden_checkpoint("kinetics_resnet50")
    said = run(capsys, original, "--output", tmp_path / "trunk")
    assert "3D ResNet trunk" in said and "50, shortcut type B" in said
    assert "215 used, 52 not needed (layer4, fc)" in said
    run(capsys, tmp_path / "trunk", "--output", tmp_path / "trunk.pth")
    theirs, ours = state_of(original), state_of(tmp_path / "trunk.pth")
    assert list(ours) == [key for key in theirs if not key.startswith(("module.layer4.", "module.fc."))]
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_summary_tells_kind_depth_variant_and_count(write_golden_checkpoint, tmp_path, capsys):
    said = run(capsys, write_golden_checkpoint(SPEC), "--output", tmp_path / "converted")
    for words in ("STAViS", "10, shortcut type B", "l3mul-s3 (its sound part is trained)", "121 used"):
        assert words in said


def test_variant_is_kept_and_all_arrays_too(write_golden_checkpoint, tmp_path):
    pytorch_to_directory(write_golden_checkpoint(SPEC), tmp_path / "converted", "visual")
    weights, info = read_weights(tmp_path / "converted")
    assert info.network_config() == NetworkConfig("visual", 10, "B")
    assert "soundnet/conv7/kernel" in weights


@pytest.mark.slow
def test_workdir_is_exported_by_variant(write_golden_checkpoint, tmp_path, capsys):
    pytorch_to_directory(write_golden_checkpoint(SPEC), tmp_path / "full", "visual")
    weights, info = read_weights(tmp_path / "full")
    visual_only = {name: array for name, array in weights.items() if not name.startswith(("soundnet/", "fuseav/"))}
    save_weights(tmp_path / "run" / "visual" / "best", visual_only, info)
    said = run(capsys, tmp_path / "run", "--variant", "visual", "--output", tmp_path / "visual.pth")
    assert "44 of them starting values (fuseav, soundnet: not trained)" in said
    assert len(state_of(tmp_path / "visual.pth")) == 137
    assert "not trained here" in error_of(
        capsys, tmp_path / "run", "--variant", "l3mul-s3", "--output", tmp_path / "other.pth"
    )


def test_existing_output_is_kept_unless_told(write_golden_checkpoint, tmp_path, capsys):
    original = write_golden_checkpoint("soundnet8")
    run(capsys, original, "--output", tmp_path / "converted")
    assert "exists already. Give --overwrite" in error_of(capsys, original, "--output", tmp_path / "converted")
    run(capsys, original, "--output", tmp_path / "converted", "--overwrite")
    assert read_info(tmp_path / "converted").kind == "soundnet"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    assert "not overwritten" in error_of(capsys, original, "--output", tmp_path / "mine", "--overwrite")


def test_faults_are_one_line_and_leave_nothing_behind(write_golden_checkpoint, tmp_path, capsys):
    broken, original = tmp_path / "broken.pth", write_golden_checkpoint(SPEC)
    broken.write_bytes(original.read_bytes()[:100_000])
    output = ("--output", tmp_path / "converted")
    assert "no such file or directory" in error_of(capsys, tmp_path / "none.pth", *output)
    assert "broken.pth: not a PyTorch checkpoint, or damaged" in error_of(capsys, broken, *output)
    assert "is not one of visual, l1-audio-only" in error_of(capsys, original, "--variant", "best", *output)
    assert "have no variant" in error_of(capsys, write_golden_checkpoint("soundnet8"), "--variant", "visual", *output)
    assert "converted to a directory" in error_of(capsys, original, "--output", tmp_path / "other.pth")
    assert "neither a converted checkpoint" in error_of(capsys, tmp_path, "--output", tmp_path / "other.pth")
    assert os.listdir(tmp_path) == ["broken.pth"]


def test_directory_cannot_be_written_over_by_a_file(write_golden_checkpoint, tmp_path):
    pytorch_to_directory(write_golden_checkpoint("soundnet8"), tmp_path / "converted")
    with pytest.raises(UserError, match="is a directory"):
        directory_to_pytorch(tmp_path / "converted", tmp_path)


def test_a_name_that_seems_to_be_a_directorys_gets_no_file(write_golden_checkpoint, tmp_path):
    pytorch_to_directory(write_golden_checkpoint("soundnet8"), tmp_path / "converted")
    with pytest.raises(UserError, match=r"weights/again: a directory is converted to a \.pth file"):
        directory_to_pytorch(tmp_path / "converted", tmp_path / "weights" / "again")
    assert not (tmp_path / "weights").exists()


def test_command_ends_without_traceback_and_with_a_failing_code(commands, tmp_path):
    ended = commands.run("stavis_jax.convert", tmp_path / "none.pth", "--output", tmp_path / "x")
    assert ended.code == 1
    assert ended.err.startswith(f"error: {tmp_path / 'none.pth'}: no such file or directory. Give a .pth or ")
    assert ended.err.count("\n") == 1
