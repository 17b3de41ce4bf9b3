"""The authors' checkpoints and inputs, made from formulas (golden/README.md)."""

import functools
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="session")
def formulas() -> ModuleType:
    """golden/weights.py."""
    spec = importlib.util.spec_from_file_location("golden_formulas", GOLDEN / "weights.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def read_spec():
    """Key -> [shape, dtype] of one of golden/specs, in state-dict order."""

    @functools.cache
    def read(name: str) -> dict:
        return json.loads((GOLDEN / "specs" / f"{name}.json").read_text())

    return read


@pytest.fixture(scope="session")
def write_golden_checkpoint(formulas, read_spec, tmp_path_factory):
    """Writes a checkpoint as the authors' code does: container zip, legacy (before torch 1.6) or cuda (from a GPU)."""
    torch = pytest.importorskip("torch")

    folder = tmp_path_factory.mktemp("checkpoints")

    @functools.cache
    def write(spec: str, seed: int = 0, variant: str = "plain", container: str = "zip") -> Path:
        path = folder / f"{spec}-{seed}-{variant}-{container}.pth"
        depth = spec.partition("resnet")[2].partition("_")[0]
        checkpoint = formulas.checkpoint(read_spec(spec), seed, f"resnet-{depth}" if depth else "", variant=variant)
        torch.save(checkpoint, path, _use_new_zipfile_serialization=container == "zip")
        if container == "cuda":
            path.write_bytes(formulas.retag_cuda(path.read_bytes()))
        return path

    return write


@pytest.fixture(scope="session")
def golden_inputs(formulas):
    """Clip [B, T, H, W, 3] and waveform [B, S] of a seed."""

    @functools.cache
    def make(seed: int, size: int, batch: int = 2) -> tuple[np.ndarray, np.ndarray]:
        clip = np.moveaxis(formulas.clip(seed, batch, 16, size), 1, -1)
        return np.ascontiguousarray(clip), formulas.audio(seed, batch)[:, 0, 0]

    return make
