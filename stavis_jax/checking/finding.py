"""Holds the result of one check."""

import dataclasses
import os
from pathlib import Path
from typing import Literal

from data_pipelines.runtime.errors import one_line, reason


@dataclasses.dataclass(frozen=True)
class Finding:
    """A line of the report.

    Attributes:
      path: the file or folder.
      text: what it holds or, if it is damaged, what is wrong and what to do.
      state: "not checked" if this project's checks do not apply to it.
    """

    path: Path
    text: str
    state: Literal["ok", "damaged", "not checked"] = "ok"

    @property
    def line(self) -> str:
        return one_line(f"{self.state}: {self.path}: {self.text}")


def damaged(path: Path, error: object) -> Finding:
    """Returns the finding of an error, whose text may begin with the path."""
    return Finding(path, str(error).removeprefix(f"{path}: "), "damaged")


def unreadable(path: Path, error: OSError | MemoryError) -> Finding:
    """Returns the finding that a path, or a file in it, could not be read."""
    if isinstance(error, MemoryError):
        return Finding(path, "does not fit into memory. Check it on a machine with more memory.", "not checked")
    where = f"{os.fsdecode(error.filename)}: " if error.filename and Path(os.fsdecode(error.filename)) != path else ""
    return Finding(path, f"{where}cannot be read ({reason(error)}). Check its permissions and the disk.", "not checked")
