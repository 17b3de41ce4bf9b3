"""Of many films, one that cannot be predicted does not stop the others."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from data_pipelines.runtime.errors import UserError, one_line

NAMED_AT_THE_END = 20


class Failures:
    """Tells each as it happens, and all at the end; a single film's at once."""

    def __init__(self, num_films: int):
        self._num_films = num_films
        self._failed: list[Path] = []

    @contextlib.contextmanager
    def of(self, film: Path) -> Iterator[None]:
        """Keeps a `UserError` from the others: it becomes a line on stderr. If there are no others, it is raised."""
        try:
            yield
        except UserError as fault:
            if self._num_films == 1:
                raise
            self._failed.append(film)
            text = str(fault) if str(film) in str(fault) else f"{film}: {fault}"
            print(f"error: {one_line(text)}", file=sys.stderr, flush=True)

    def tell(self) -> None:
        """Raises `UserError` if there were any."""
        if not self._failed:
            return
        names = ", ".join(film.name for film in self._failed[:NAMED_AT_THE_END])
        if more := len(self._failed[NAMED_AT_THE_END:]):
            names += f" and {more} more"
        raise UserError(
            f"{len(self._failed)} of {self._num_films} films failed: {names}. The lines above say why. Mend them, or "
            "leave them out."
        )
