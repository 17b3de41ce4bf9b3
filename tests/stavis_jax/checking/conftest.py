"""Good files to damage."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from supplies import Supplies, copy_of


@pytest.fixture(scope="session")
def good_files(tmp_path_factory) -> Supplies:
    return Supplies(tmp_path_factory.mktemp("good"))


@pytest.fixture
def copied(good_files, tmp_path) -> Callable[[str], Path]:
    """Returns a function that copies one of the supplies, by name."""
    return lambda what: copy_of(getattr(good_files, what), tmp_path)


def flip_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content.rstrip(b"\0")) // 3] ^= 1  # not in the zeros that fill the last block of a file
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


DAMAGES = (flip_bit, cut, empty, remove)


@pytest.fixture(params=DAMAGES, ids=lambda damage: damage.__name__)
def damage(request) -> Callable[[Path], None]:
    return request.param
