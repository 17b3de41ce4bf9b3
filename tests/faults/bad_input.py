"""Describes a row of the catalogue: a bad input, the command that reads it, and the error that the command prints."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from supplies import Supplies, copy_of

DATA_COMMANDS = ("synthesize", "fetch", "ingest", "prepare")
NETWORK_COMMANDS = ("main", "ablate", "convert", "export", "predict", "reframe", "compare", "evaluate", "submission")
MODULES = {
    **{name: f"data_pipelines.{name}" for name in DATA_COMMANDS},
    **{name: f"stavis_jax.{name}" for name in NETWORK_COMMANDS},
}


@dataclasses.dataclass(frozen=True)
class Place:
    """The folder in which a test makes a bad input, and good files to copy from."""

    folder: Path
    supplies: Supplies

    @property
    def output(self) -> Path:
        """Returns the output path of the command. It must not exist afterwards."""
        return self.folder / "output"

    def file(self, name: str, content: bytes | str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def copy(self, what: str) -> Path:
        """Copies one of the supplies and returns the copy."""
        return copy_of(getattr(self.supplies, what), self.folder)


@dataclasses.dataclass(frozen=True)
class BadInput:
    """A bad input. `make` writes it and returns the arguments of the command; `says` is part of the error line."""

    what: str
    command: str
    make: Callable[[Place], Sequence[object]]
    says: str


def change(path: Path, at: int, new: bytes) -> None:
    """Overwrites bytes of a file."""
    content = bytearray(path.read_bytes())
    at %= len(content)
    content[at : at + len(new)] = new
    path.write_bytes(content)
