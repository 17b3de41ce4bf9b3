"""Fixtures: good files to damage, results of undisturbed commands, and counts for docs/reliability.md."""

import functools
from collections.abc import Callable
from pathlib import Path

import fuzzed
import jobs
import pytest
import reliability
from bad_input import Place
from supplies import Supplies


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--reliability", metavar="FILE", help="write the results of the fault tests to this Markdown file")


@pytest.fixture(scope="session")
def supplies(tmp_path_factory) -> Supplies:
    return Supplies(tmp_path_factory.mktemp("supplies"))


@pytest.fixture(scope="session")
def undisturbed(commands, supplies, tmp_path_factory) -> Callable[[str], jobs.Undisturbed]:
    """Returns a function: command -> the result of its job without a fault. Each job runs once."""

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
    """Counts the faults that a test injects. They count as survived if the test passes."""
    return reliability.Tally(record_property, (str(supplies.folder),))


@pytest.hookimpl(hookwrapper=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config):
    """Writes the page. With xdist, the main process receives the reports of all workers."""
    yield
    path = config.getoption("--reliability", default=None)
    if path:
        reports = [report for of in terminalreporter.stats.values() for report in of if hasattr(report, "when")]
        Path(path).write_text(fuzzed.put_into(reliability.page(reports)), encoding="utf-8")
        terminalreporter.write_line(f"written: {path}")
