"""What a training writes down: one line of JSON an epoch, and a progress bar."""

import json
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Journal:
    """Appends to FILE and shows a bar over all steps of a stage. Epochs after `done_epochs` are to be run again."""

    def __init__(
        self, file: Path, title: str, *, total_steps: int, done_steps: int, done_epochs: int, console: Console | None
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = file.read_text().splitlines(keepends=True) if file.exists() else []
        file.write_text("".join(lines[:done_epochs]))
        self._file, self._title = file, title
        self._progress = Progress(
            TextColumn(title),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps {task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._progress.add_task(title, total=total_steps, completed=done_steps, note="")

    def __enter__(self) -> "Journal":
        self._progress.start()
        return self

    def __exit__(self, *_) -> None:
        self._progress.stop()

    def step(self) -> None:
        self._progress.advance(self._task)

    def epoch(self, epoch: int, epochs: int, values: dict[str, float]) -> None:
        """Writes an epoch's means: numbers by name."""
        with self._file.open("a") as file:
            file.write(json.dumps({"epoch": epoch, **values}) + "\n")
        shown = "  ".join(f"{name} {values[name]:.3f}" for name in ("loss", "validation_loss") if name in values)
        self._progress.update(self._task, note=f"epoch {epoch}  {shown}")
        if not self._progress.console.is_terminal and epoch % max(1, epochs // 8) == 0:  # a log shows no bar
            self._progress.console.print(f"{self._title}: epoch {epoch} of {epochs}  {shown}", highlight=False)
