"""Shows how far a film has been read."""

import contextlib
import functools
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress(name: str) -> Iterator[Callable[[int | None], Callable[[int], None]]]:
    """Yields a function that starts the progress bar of a film, and returns what advances it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        yield lambda num_frames: functools.partial(bars.advance, bars.add_task(name, total=num_frames))
