"""Each bad input of the catalogue is refused with one line, in limited time and memory, and leaves nothing behind."""

import shutil

import pytest
from bad_input import MODULES, Place
from catalogue import BAD_INPUTS
from commands import ROOT

TIMEOUT_S = 60  # most inputs take 0.1 s; the machine may be busy
MOST_BYTES = 3 << 30  # a third of it is imports
FIRST_OF_COMMANDS = list({bad.command: bad for bad in reversed(BAD_INPUTS)}.values())


@pytest.mark.parametrize(
    "bad",
    [pytest.param(bad, marks=() if bad in FIRST_OF_COMMANDS else pytest.mark.slow) for bad in BAD_INPUTS],
    ids=lambda bad: f"{bad.command}-{bad.what}",
)
def test_it_is_refused_with_one_line_and_leaves_nothing(bad, commands, supplies, tmp_path, tally):
    arguments = bad.make(Place(tmp_path, supplies))
    before = sorted(tmp_path.rglob("*"))
    ended = commands.run(MODULES[bad.command], *arguments, timeout_s=TIMEOUT_S)
    line = ended.error
    assert bad.says in line
    assert ended.num_bytes < MOST_BYTES
    assert sorted(tmp_path.rglob("*")) == before
    tally.refused(bad.command, bad.what, line.replace(str(tmp_path), ""))
    shutil.rmtree(tmp_path)  # there are over three hundred of them


def test_there_are_more_than_a_hundred_and_each_has_a_name_of_its_own():
    names = [(bad.command, bad.what) for bad in BAD_INPUTS]
    assert len(names) > 100
    assert len(set(names)) == len(names)


def test_the_page_lists_them_all(request):
    """The command at the top of the page writes it."""
    if request.config.getoption("--reliability", default=None):
        return  # this run writes it
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert [bad.what for bad in BAD_INPUTS if f"| {bad.what} |" not in page] == []
    assert str(ROOT) not in page and "/tmp/" not in page and " at 0x" not in page
