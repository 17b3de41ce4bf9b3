"""The command prints a line for each thing, and its exit code says whether all are whole."""

import shutil

import pytest

from stavis_jax import check
from stavis_jax.weights.named_checkpoints import STARTER_DIRECTORY


def test_whole_weights_are_one_line_and_code_0(capsys):
    check.main([str(STARTER_DIRECTORY)])
    assert capsys.readouterr().out == (
        f"ok: {STARTER_DIRECTORY}: weights of visual of depth 10, 71 arrays, all finite\n"
    )


def test_damage_is_a_line_and_code_1(tmp_path, capsys):
    damaged = shutil.copytree(STARTER_DIRECTORY, tmp_path / "damaged")
    (damaged / "weights.safetensors").write_bytes(b"")
    with pytest.raises(SystemExit) as ended:
        check.main([str(damaged), str(STARTER_DIRECTORY)])
    assert ended.value.code == "error: 1 of 2 damaged or not checked. The lines above say what to do."
    first, second = capsys.readouterr().out.splitlines()
    assert first == (
        f"damaged: {damaged}: {damaged / 'weights.safetensors'}: damaged (its checksum has changed). "
        "Convert or train again."
    )
    assert second.startswith(f"ok: {STARTER_DIRECTORY}")
