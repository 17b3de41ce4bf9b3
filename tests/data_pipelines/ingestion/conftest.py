"""An ingestion by the command."""

from pathlib import Path

import pytest

from data_pipelines.ingest import main


@pytest.fixture
def add(tmp_path, capsys):
    """A function: ingests by the command, with no flags beyond files, and returns what it printed."""

    def run(films: Path, gaze: Path) -> str:
        arguments = ["--films", films, "--gaze", gaze, "--database", "D", "--output", tmp_path / "raw"]
        main([str(argument) for argument in (*arguments, "--workers", 1, "--test-share", 1)])
        return capsys.readouterr().out

    return run
