import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_pipelines.runtime.command import command

ROOT = Path(__file__).parents[3]
SIGNALS = pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
SAID = {143: "stopped: on request. Run the same command again.\n", 130: ""}


def wait_for_ever(*_: object) -> None:
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        pass


def ended(main) -> int:
    with pytest.raises(SystemExit) as raised:
        command(main)()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    return raised.value.code


@SIGNALS
def test_a_library_that_makes_an_error_of_its_own_of_the_request_to_stop_hides_it_not(capsys, sent, code):
    def main() -> None:
        try:
            os.kill(os.getpid(), sent)
            wait_for_ever()
        except BaseException:
            raise RuntimeError("a callback failed") from None

    assert ended(main) == code
    assert capsys.readouterr().err == SAID[code]


@SIGNALS
def test_a_request_that_the_garbage_collectors_callback_swallows_is_made_again(capsys, sent, code):
    def callback(*_: object) -> None:  # as JAX's
        gc.callbacks.remove(callback)
        os.kill(os.getpid(), sent)
        wait_for_ever()

    def main() -> None:
        gc.callbacks.append(callback)
        gc.collect()
        wait_for_ever()

    assert ended(main) == code
    assert capsys.readouterr().err == SAID[code]


@SIGNALS
def test_what_tidies_up_is_not_stopped_again(sent, code):
    tidied = []

    def main() -> None:
        try:
            os.kill(os.getpid(), sent)
            wait_for_ever()
        finally:
            os.kill(os.getpid(), sent)  # of a second Ctrl-C
            time.sleep(0.1)
            tidied.append(True)

    assert ended(main) == code
    assert tidied


def test_a_module_is_imported_to_its_end(tmp_path, monkeypatch):
    (tmp_path / "stopped_module.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(0.1)\nWHOLE = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def main() -> None:
        import stopped_module  # noqa: F401

        wait_for_ever()

    assert ended(main) == 130
    assert sys.modules.pop("stopped_module").WHOLE


def test_a_command_that_imports_ends_without_a_traceback():
    script = (
        "import sys; sys.argv = ['-m']\n"
        "import os, signal, data_pipelines\n"
        "try: os.kill(os.getpid(), signal.SIGINT)\n"
        "except KeyboardInterrupt: raise ImportError('as NumPy does')"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_command_does_not_wait_for_threads_of_libraries():
    script = (
        "import sys; sys.argv = ['-m']\n"
        "import os, signal, threading, time\n"
        "from data_pipelines.runtime.command import command\n"
        "@command\n"
        "def main():\n"
        "    threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "    print('begun')\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(60)\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (130, "begun\n", "")
