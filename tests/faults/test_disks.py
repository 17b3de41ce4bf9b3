"""A full or read-only disk: one line, and no output with its final name. With space, the command then succeeds.

If no disk can be mounted, a limit on the size of files takes the place of a full disk, and a file in the path that of a
read-only one.
"""

from pathlib import Path

import pytest
from bad_input import Place
from disks import disk, remount
from jobs import JOBS, content, leftovers

ROOM_KB = {
    "synthesize": 60,
    "fetch": 120,
    "ingest": 60,
    "prepare": 200,
    "convert": 400,
    "export": 400,
    "evaluate": 12,
    "predict": 8,
    "reframe": 8,
    "submission": 8,
    "compare": 8,
}
FULL = ("No space left on device", "File too large", "disk full", "GB are free")


@pytest.mark.slow
@pytest.mark.parametrize("command", list(JOBS))
def test_a_full_disk_is_one_line_and_with_room_the_command_ends_well(command, commands, supplies, tmp_path, tally):
    job, place = JOBS[command], Place(tmp_path, supplies)
    tally.fault(command, "full disk")
    place = Place(tmp_path / "disk", supplies)
    flags = _on(job, place, tmp_path)
    with disk(place.folder, ROOM_KB[command]) as mounted:
        limits = {} if mounted else {"RLIMIT_FSIZE": max(4096, 64 * ROOM_KB[command])}  # the log is a file too
        line = commands.run(job.module, *flags, limits=limits).error
        assert any(fault in line for fault in FULL), line
        if not job.apart:
            assert content(place.output) == {}
        before = content(place.output)  # complete parts
        if mounted:
            remount(place.folder, "size=200m")
        assert commands.run(job.module, *flags).code == 0
        assert before.items() <= content(place.output).items()
        assert leftovers(place.folder) == []


@pytest.mark.slow
@pytest.mark.parametrize("command", list(JOBS))
def test_a_disk_that_cannot_be_written_is_one_line(command, commands, supplies, tmp_path, tally):
    job, place = JOBS[command], Place(tmp_path / "disk", supplies)
    tally.fault(command, "read-only disk")
    flags = _on(job, place, tmp_path)
    with disk(place.folder, 64) as mounted:
        if mounted:
            remount(place.folder, "ro")
        else:
            flags = _on(job, Place(place.file("file", b"") / "below", supplies), tmp_path)
        line = commands.run(job.module, *flags).error
        assert ("Read-only file system" if mounted else "Not a directory") in line
        if mounted:
            assert list(place.folder.iterdir()) == []


def _on(job, place: Place, elsewhere) -> list[object]:
    """Returns the flags of a job that reads from elsewhere and writes to the disk."""
    there = elsewhere / "output"
    return [
        place.output / flag.relative_to(there) if isinstance(flag, Path) and flag.is_relative_to(there) else flag
        for flag in job.flags(Place(elsewhere, place.supplies))
    ]
