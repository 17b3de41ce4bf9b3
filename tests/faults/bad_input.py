"""What a row of the catalogue is: a bad input, the command it is given to, and what that says of it."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from supplies import Supplies, copy_of

MODULES = {
    **{name: f"data_pipelines.{name}" for name in ("synthesize", "fetch", "ingest", "prepare")},
    **{name: f"stavis_jax.{name}" for name in ("main", "ablate", "convert", "predict", "evaluate")},
}


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a bad input is made: an empty folder, and good files to copy from."""

    folder: Path
    supplies: Supplies

    @property
    def output(self) -> Path:
        """Where the command is to write; it must not be there afterwards."""
        return self.folder / "output"

    def file(self, name: str, content: bytes | str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def copy(self, what: str) -> Path:
        """A copy of one of the supplies."""
        return copy_of(getattr(self.supplies, what), self.folder)


@dataclasses.dataclass(frozen=True)
class BadInput:
    """`make` writes the input and returns the command's arguments; `says`: in the command's one line of error."""

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
