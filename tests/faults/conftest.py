"""Commands in processes of their own, good files to spoil, and the tally that docs/reliability.md is made of."""

import functools
import os
from collections.abc import Callable
from pathlib import Path

import jobs
import pytest
import reliability
from bad_input import Place
from commands import CommandServer
from supplies import Supplies


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--reliability", metavar="FILE", help="write what the fault tests did to this Markdown file")


@pytest.fixture(scope="session")
def supplies(tmp_path_factory) -> Supplies:
    return Supplies(tmp_path_factory.mktemp("supplies"))


@pytest.fixture(scope="session")
def commands(tmp_path_factory):
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    server = CommandServer(tmp_path_factory.mktemp("said"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def undisturbed(commands, supplies, tmp_path_factory) -> Callable[[str], jobs.Undisturbed]:
    """A command's job -> what comes of it when nothing happens to it; each is run once."""

    @functools.cache
    def run(command: str) -> jobs.Undisturbed:
        place = Place(tmp_path_factory.mktemp("undisturbed"), supplies)
        flags = jobs.JOBS[command].flags(place)
        ended = commands.run(jobs.JOBS[command].module, *flags)
        assert ended.code == 0, ended
        content = jobs.content(place.output)
        assert content
        return jobs.Undisturbed(content, ended.seconds)

    return run


@pytest.fixture
def tally(record_property, supplies) -> reliability.Tally:
    """Counts the faults a test injects; they count as survived if it passes."""
    return reliability.Tally(record_property, (str(supplies.folder),))


@pytest.hookimpl(hookwrapper=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config):
    """In the process that starts the others: the reports of all come here."""
    yield
    path = config.getoption("--reliability", default=None)
    if path:
        reports = [report for of in terminalreporter.stats.values() for report in of if hasattr(report, "when")]
        Path(path).write_text(reliability.page(reports), encoding="utf-8")
        terminalreporter.write_line(f"written: {path}")
