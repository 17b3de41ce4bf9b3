"""Holds the result of one check."""

import dataclasses
from pathlib import Path
from typing import Literal

from data_pipelines.runtime.errors import one_line


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
