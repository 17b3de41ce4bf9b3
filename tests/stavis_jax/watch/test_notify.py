"""The command of --notify: what it is told, and that it can neither change nor hold up the end of a run."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_pipelines.runtime.errors import Stopped, UserError
from data_pipelines.runtime.signals import Terminated
from stavis_jax.watch import beats
from stavis_jax.watch.ending import Ending
from stavis_jax.watch.notify import Notifier, notify

ROOT = Path(__file__).parents[3]
TELL = 'printf "%s|%s|%s|%s\\n" "$STAVIS_OUTCOME" "$STAVIS_RUN" "$STAVIS_MESSAGE" "$STAVIS_EXIT_CODE" >>'


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (None, "finished|RUN||0"),
        (UserError("the film is\ndamaged"), "failed|RUN|the film is damaged|1"),
        (Stopped("visual: saved at step 3."), "stopped|RUN|visual: saved at step 3.|143"),
        (Terminated(), "stopped|RUN|on request. Run the same command again.|143"),
        (KeyboardInterrupt(), "interrupted|RUN|by Ctrl-C. Run the same command again.|130"),
        (MemoryError(), "failed|RUN|memory is full. Use smaller batches"),
        (OSError(28, "No space left on device", "f"), "failed|RUN|f: No space left on device. Give a folder"),
        (ZeroDivisionError("a bug"), "failed|RUN|ZeroDivisionError: a bug|1"),
        (SystemExit("error: no such flag"), "failed|RUN|no such flag|1"),
    ],
)
def test_the_command_learns_the_outcome_and_the_error_goes_on(error, line, tmp_path):
    raised = None
    try:
        with Notifier(f"{TELL} {tmp_path / 'told'}", "RUN"):
            if error:
                raise error
    except BaseException as caught:
        raised = caught
    assert raised is error
    (told,) = (tmp_path / "told").read_text().splitlines()
    assert told.startswith(line)


def test_a_host_that_does_not_speak_tells_nothing(tmp_path):
    with Notifier(f"{TELL} {tmp_path / 'told'}", "RUN") as notifier:
        notifier.speaks = False
    assert not (tmp_path / "told").exists()


@pytest.mark.parametrize(
    ("command", "warning"),
    [("exit 3", "ended with code 3"), ("/no/such/program", "ended with code 127"), ("a\0b", "null")],
)
def test_a_command_that_fails_is_warned_of(command, warning, caplog):
    notify(command, "RUN", Ending(beats.FINISHED))
    (message,) = caplog.messages
    assert message.startswith("--notify: ") and warning in message


@pytest.mark.slow
def test_a_command_that_does_not_end_is_killed_with_its_children(tmp_path, caplog):
    begin = time.monotonic()
    notify(f"(sleep 3; touch {tmp_path / 'late'}) & sleep 100", "RUN", Ending(beats.FINISHED), seconds=0.5)
    assert time.monotonic() - begin < 10
    assert "has not ended within 0.5 s, so it was killed" in caplog.messages[0]
    time.sleep(3)
    assert not (tmp_path / "late").exists()


@pytest.mark.parametrize("module", ["main", "ablate"])
def test_an_error_in_the_settings_is_told_and_the_exit_code_stays(module, tmp_path):
    flags = [
        "--config=av",
        "--config.seed=-1",
        f"--workdir={tmp_path / 'run'}",
        f"--notify={TELL} {tmp_path / 'told'}; exit 9",
    ]
    done = subprocess.run(
        [sys.executable, "-m", f"stavis_jax.{module}", *flags], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1
    warning, error = done.stderr.splitlines()
    assert warning.startswith("warning: --notify: ") and warning.endswith("ended with code 9.")
    assert error == "error: --config.seed=-1: give 0 or more."
    assert (tmp_path / "told").read_text() == f"failed|{tmp_path / 'run'}|--config.seed=-1: give 0 or more.|1\n"
