"""A share of the damaged files of fuzz_files.py: no traceback, no file that takes long or much memory."""

import signal
import sys
import threading

import fuzz_files
import pytest
from fuzz_kinds import KINDS

FILES = 20  # of each kind; `python tests/faults/fuzz_files.py` gives 1,000
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_read_or_refused(kind, tmp_path, monkeypatch):
    for module, hook in ((sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(module, hook, getattr(module, hook))  # the tool sets its own
    before = signal.signal(signal.SIGALRM, fuzz_files._hang)
    try:
        row = fuzz_files.run_kind(kind, FILES, seed=1, folder=tmp_path)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert row["tracebacks"] == row["hangs"] == []
    assert row["read"] + row["refused"] == FILES
    assert row["slowest_s"] < fuzz_files.SLOWEST_S
    assert row["mib"] < fuzz_files.MOST_MIB
