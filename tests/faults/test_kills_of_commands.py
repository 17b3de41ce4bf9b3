"""Commands killed at random moments: no incomplete output has its final name, and the next run succeeds.

tests/stavis_jax/training/test_kills.py kills trainings; tests/data_pipelines/shards/test_resume.py kills `prepare` at
each step.
"""

import os
import random
import signal
import time

import pytest
from bad_input import Place
from jobs import JOBS, content, is_whole_or_not_there, leftovers

KILLS = int(os.environ.get("FAULTS_KILLS", "2"))  # of each command, by SIGKILL
SIGNALS = [signal.SIGKILL] * KILLS + [signal.SIGTERM]
NAMES = {signal.SIGKILL: "kill -9", signal.SIGTERM: "SIGTERM"}
STOPPED = (0, 143, -signal.SIGTERM)  # the last if it comes before the first line of the command, or after the last


@pytest.mark.slow
@pytest.mark.parametrize("command", list(JOBS))
def test_killed_again_and_again_it_ends_as_if_it_never_was(command, commands, supplies, undisturbed, tmp_path, tally):
    job, moments = JOBS[command], random.Random(command)
    for name in NAMES:
        tally.fault(command, NAMES[name], SIGNALS.count(name))
    expected, place = undisturbed(command), Place(tmp_path, supplies)
    flags = job.flags(place)
    for sent in SIGNALS:
        running = commands.start(job.module, *flags)
        time.sleep(moments.uniform(0.05, 1) * expected.seconds)
        ended = running.kill(sent)
        assert "Traceback" not in ended.err, ended
        assert ended.code in ((-sent, 0) if sent == signal.SIGKILL else STOPPED) or "exists already" in ended.err
        assert is_whole_or_not_there(place.output, expected.content, job.apart), sorted(content(place.output))
    ended = commands.run(job.module, *flags)
    assert ended.code == 0 or "exists already" in ended.error
    assert content(place.output) == expected.content
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("command", list(JOBS))
def test_asked_to_stop_it_clears_away_what_it_had_begun(command, commands, supplies, tmp_path, tally):
    """Only prepare keeps finished films for the next run. Other commands leave at most their first, empty folder."""
    job, place = JOBS[command], Place(tmp_path, supplies)
    flags = job.flags(place)
    before = set(tmp_path.rglob("*"))
    tally.fault(command, "SIGTERM")
    running = commands.start(job.module, *flags)
    running.wait_until(lambda: bool(set(tmp_path.rglob("*")) - before))
    ended = running.kill(signal.SIGTERM)
    assert ended.code in STOPPED, ended
    if ended.code == 143:
        *_, line = ended.err.splitlines()
        assert line == "stopped: on request. Run the same command again."
        begun = [name for name in leftovers(tmp_path) if (tmp_path / name).is_file()]
        assert command == "prepare" or begun == []


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("command", ["predict", "reframe", "compare", "convert", "export"])
def test_ctrl_c_ends_a_command_within_seconds(command, share, commands, supplies, undisturbed, tmp_path, tally):
    """The other commands, with worker processes: test_workers.py."""
    job, place, expected = JOBS[command], Place(tmp_path, supplies), undisturbed(command)
    tally.fault(command, "Ctrl-C")
    running = commands.start(job.module, *job.flags(place))
    time.sleep(max(0.3, share * expected.seconds))
    os.killpg(running.pid, signal.SIGINT)
    sent = time.monotonic()
    ended = running.wait()
    assert time.monotonic() - sent < 20 and "Traceback" not in ended.err, ended
    assert ended.code in (0, 130), ended  # 0 if all was done
    assert content(place.output) == ({} if ended.code else expected.content)
