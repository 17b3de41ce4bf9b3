"""The stored results of fuzz_files.py: they are those of every kind, without a fault, and the page shows them."""

import fuzz_files
import fuzzed
import pytest
from fuzz_kinds import KINDS

from data_pipelines.runtime.errors import UserError


def test_every_kind_was_fuzzed_without_a_fault():
    rows = fuzzed.stored()["rows"]
    assert [row.kind for row in rows] == list(KINDS), "run fuzz_files.py --write again"
    for row in rows:
        assert row.files >= 1000 and row.read + row.refused == row.files
        assert (row.tracebacks, row.hangs) == (0, 0)
        assert row.slowest_s < fuzz_files.SLOWEST_S and row.mib < fuzz_files.MOST_MIB


def test_the_page_shows_the_stored_results():
    page = fuzzed.PAGE.read_text(encoding="utf-8")
    assert fuzzed.put_into(page) == page and page.count(fuzzed.HEADING) == 1


def hangs() -> None:
    try:
        while True:
            pass
    except Exception as error:  # a reader may take any error for damage
        raise UserError("damaged") from error


def fails() -> None:
    raise ValueError("a bug")


@pytest.mark.parametrize(("read", "found"), [(hangs, (0, 1)), (fails, (3, 0))])
def test_hangs_and_other_errors_are_counted(read, found, monkeypatch, tmp_path):
    def kind(folder):
        made = []

        def spoil(change, draw):
            made.append(change(b"good"))
            (folder / "file").write_bytes(made[-1])
            return folder / "file"

        def reader():
            if made:  # not the first time, which only warms up
                read() if read is fails or len(made) == 1 else None

        return reader, spoil

    monkeypatch.setitem(KINDS, "made", kind)
    monkeypatch.setattr(fuzz_files, "SLOWEST_S", 0.2)
    for module, hook in ((fuzz_files.sys, "unraisablehook"), (fuzz_files.threading, "excepthook")):
        monkeypatch.setattr(module, hook, getattr(module, hook))  # the tool sets its own
    before = fuzz_files.signal.signal(fuzz_files.signal.SIGALRM, fuzz_files._hang)
    try:
        row = fuzz_files.run_kind("made", 3, seed=0, folder=tmp_path, keep=tmp_path / "kept")
    finally:
        fuzz_files.signal.signal(fuzz_files.signal.SIGALRM, before)
    assert (len(row["tracebacks"]), len(row["hangs"])) == found
    assert len(list((tmp_path / "kept").iterdir())) == sum(found)
