"""Films, and an ingestion by the command."""

from pathlib import Path

import pytest
from ingested import write_film

from data_pipelines.ingest import main


@pytest.fixture
def films(tmp_path) -> Path:
    """A folder of the films one.mp4 and two.mp4, each of six frames of 64x36 at 10 Hz."""
    for name in ("one", "two"):
        write_film(tmp_path / "films" / f"{name}.mp4")
    return tmp_path / "films"


@pytest.fixture
def add(tmp_path, capsys):
    """A function: ingests by the command, with no flags beyond files, and returns what it printed."""

    def run(films: Path, gaze: Path) -> str:
        arguments = ["--films", films, "--gaze", gaze, "--database", "D", "--output", tmp_path / "raw"]
        main([str(argument) for argument in (*arguments, "--workers", 1, "--test-share", 1)])
        return capsys.readouterr().out

    return run
