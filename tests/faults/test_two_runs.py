"""A second run for the same output is refused while the first one runs. Training: test_training_faults.py.

The lock ends with its process, so that a killed run blocks nothing; the tests of kills show that.
"""

import pytest
from bad_input import Place
from jobs import JOBS, content

from data_pipelines.runtime.atomic import locked_folder, temporary_folder_beside
from data_pipelines.shards.resume import opened

HELD = {
    "synthesize": temporary_folder_beside,
    "fetch": locked_folder,
    "ingest": locked_folder,
    "prepare": opened,
    "convert": temporary_folder_beside,
    "export": lambda output: temporary_folder_beside(output / "network.stablehlo"),
    "evaluate": locked_folder,
    "predict": lambda output: temporary_folder_beside(output / "film"),  # the film's own folder
    "reframe": lambda output: temporary_folder_beside(output / "film"),
    "submission": temporary_folder_beside,
    "compare": temporary_folder_beside,
}


@pytest.mark.parametrize("command", list(HELD))
def test_a_second_run_is_refused_and_the_first_one_not_disturbed(command, commands, supplies, tmp_path, tally):
    tally.fault(command, "second run for one output")
    job, place = JOBS[command], Place(tmp_path, supplies)
    flags = job.flags(place)
    with HELD[command](place.output):
        line = commands.run(job.module, *flags).error
        assert "another run" in line and str(place.output) in line
        assert content(place.output) == {}
    assert commands.run(job.module, *flags).code == 0
