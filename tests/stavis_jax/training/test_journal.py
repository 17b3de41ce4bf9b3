"""The journal's lines, and the speed that it reports."""

import io
import json
import types
from pathlib import Path

import pytest
from rich.console import Console

from stavis_jax.training import journal as journal_module
from stavis_jax.training.journal import Journal


@pytest.fixture
def clock(monkeypatch):
    """Returns a clock that the test moves forward."""
    now = types.SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(journal_module, "time", types.SimpleNamespace(monotonic=lambda: now.seconds))
    return now


def open_journal(file: Path | None, done_epochs: int = 0, title: str = "visual", **settings) -> Journal:
    settings = {"console": Console(quiet=True), "total_steps": 100, "done_steps": 0, "batch_size": 4} | settings
    return Journal(file, title, done_epochs=done_epochs, **settings)


def lines(file) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def run_steps(journal: Journal, clock, steps: int, waits: float, works: float) -> None:
    for number in range(steps):
        with journal.waiting_for_data():
            clock.seconds += waits
        clock.seconds += works
        journal.step({"loss": 1.0}, number)


def test_speed_is_that_of_the_steps_after_the_first_which_compiles(tmp_path, clock):
    with open_journal(tmp_path / "metrics.jsonl") as journal:
        run_steps(journal, clock, 1, 50.0, 100.0)
        run_steps(journal, clock, 4, 0.5, 1.5)
        journal.epoch(1, 2, {"loss": 1.0}, 5)
    (line,) = lines(tmp_path / "metrics.jsonl")
    assert line == {"epoch": 1, "loss": 1.0, "clips_per_second": 2.0, "data_wait": 0.25}


def test_each_epoch_has_a_speed_of_its_own_and_one_of_a_step_has_none(tmp_path, clock):
    with open_journal(tmp_path / "metrics.jsonl") as journal:
        for epoch, (steps, works) in enumerate([(3, 1.0), (3, 4.0), (1, 1.0)], start=1):
            run_steps(journal, clock, steps, 0.0, works)
            journal.epoch(epoch, 3, {}, 3 * epoch)
            clock.seconds += 1000.0  # a checkpoint is no step
    assert [line["clips_per_second"] for line in lines(tmp_path / "metrics.jsonl")] == [4.0, 1.0, 0.0]


def test_lines_of_epochs_to_be_run_again_are_dropped(tmp_path):
    file = tmp_path / "run" / "metrics.jsonl"
    with open_journal(file) as journal:
        for epoch in (1, 2, 3):
            journal.epoch(epoch, 3, {"loss": float(epoch)}, epoch)
    with open_journal(file, done_epochs=1) as journal:
        assert [line["epoch"] for line in lines(file)] == [1]
        journal.epoch(2, 3, {"loss": -2.0}, 2)
    assert [line["loss"] for line in lines(file)] == [1.0, -2.0]
    assert [path.name for path in file.parent.iterdir()] == ["metrics.jsonl"]


def test_a_host_that_is_not_the_first_writes_and_shows_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with open_journal(None, console=Console()) as journal:
        journal.step({"loss": 1.0}, 1)
        journal.epoch(1, 1, {"loss": 1.0}, 1)
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""


def test_the_line_of_a_log_tells_loss_speed_and_waiting(tmp_path, clock, capsys):
    console = Console(width=200, force_terminal=False)
    with open_journal(tmp_path / "metrics.jsonl", console=console) as journal:
        run_steps(journal, clock, 5, 0.5, 1.5)
        journal.epoch(1, 1, {"loss": 1.25, "validation_loss": 2.5, "validation_cc": 0.5}, 5)
    out = capsys.readouterr().out
    assert "visual: epoch 1 of 1  loss 1.250  validation 2.500  CC 0.500  2.0 clips/s, 25% of it waiting" in out


@pytest.mark.parametrize("is_terminal", [True, False])
def test_brackets_and_braces_of_a_title_are_shown_as_they_are(tmp_path, clock, is_terminal):
    title, shown = "[red]mine[/blue] {0} {nobody}", io.StringIO()
    console = Console(file=shown, width=200, force_terminal=is_terminal, color_system=None)
    with open_journal(tmp_path / "metrics.jsonl", title=title, console=console) as journal:
        run_steps(journal, clock, 2, 0.5, 1.5)
        journal.epoch(1, 1, {"loss": 1.25}, 2)
    assert title in shown.getvalue()


def test_a_full_disk_names_the_journal(tmp_path):
    file = tmp_path / "metrics.jsonl"
    journal = open_journal(file)
    file.unlink()
    file.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device") as full:
        journal.epoch(1, 2, {"loss": 1.0}, 3)
    assert full.value.filename == str(file)
