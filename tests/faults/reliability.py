"""Writes docs/reliability.md from the reports of the fault tests."""

import collections
import re
from collections.abc import Callable, Iterable, Sequence

import pytest

FAULT, REFUSED, CHAOS = "fault", "refused", "chaos"  # names of properties in a test's report
COMMANDS = ("synthesize", "fetch", "ingest", "prepare", "main", "ablate", "evaluate", "convert", "export", "predict")
COMMANDS += ("reframe", "compare", "submission")
# Faults that tests in other folders inject: test, command, fault, count.
ELSEWHERE = (
    ("test_killed_ten_times_it_ends_as_if_it_never_was", "main", "kill -9", 10),
    ("test_asked_to_stop_it_loses_no_step", "main", "SIGTERM", 1),
    ("test_a_signal_while_validating_stops_there_and_loses_no_step", "main", "SIGTERM", 1),
    ("test_a_signal_that_kills_the_readers_first_loses_no_step", "main", "SIGTERM", 1),
    ("test_a_signal_at_the_very_end_is_answered_after_the_last_weights", "main", "SIGTERM", 1),
    ("test_a_damaged_checkpoint_is_passed_over_with_a_warning", "main", "checkpoint damaged or half there", 1),
    ("test_checkpoints_that_are_all_damaged_are_one_line", "main", "checkpoint damaged or half there", 1),
    ("test_a_killed_reading_process_ends_in_one_line_and_the_position_stays", "main", "killed worker process", 1),
    ("test_reading_processes_end_with_a_program_that_was_killed", "main", "kill -9, with worker processes", 1),
    ("test_killed_at_any_step_it_ends_in_the_same_bytes", "prepare", "kill -9", 8),
    ("test_workers_end_with_a_killed_command_and_its_films_are_kept", "prepare", "kill -9, with worker processes", 1),
    ("test_second_run_for_an_output_is_refused", "prepare", "second run for one output", 1),
    ("test_a_killed_run_leaves_a_whole_database_or_none_and_the_next_run_tidies_up", "ingest", "kill -9", 1),
    ("test_two_runs_do_not_write_at_once", "ingest", "second run for one output", 1),
    ("test_a_cut_download_continues_where_it_ended", "fetch", "connection cut", 2),
    ("test_a_later_run_continues_a_cut_download", "fetch", "connection cut", 5),
    ("test_damaged_archive_leaves_nothing", "fetch", "archive damaged", 1),
    ("test_what_is_trained_and_scored_is_left_alone", "ablate", "started again", 1),
    ("test_one_that_fails_does_not_keep_the_others_but_a_failed_start_does", "ablate", "one training fails", 1),
)
HEAD = """# Reliability

Tests damage inputs and disturb the commands on purpose. This page lists each fault and what the command did. The tests
write the page themselves:

```
python -m pytest tests/faults tests/data_pipelines tests/stavis_jax/training tests/stavis_jax/test_ablate.py \\
    --reliability docs/reliability.md
```

A fault is *survived* if no incomplete output has its final name and the same command succeeds when it runs again (where
that applies); otherwise it is *lost*. The moments of kills are random with a fixed seed. [SECURITY.md](../SECURITY.md)
says which inputs are trusted.
"""

CHAOS_HEAD = """## Chaos

A small training is disturbed at drawn moments, and started again after each of its ends with the processes and devices
of the next event. One batch gives a loss that is not finite, and `on_nan=skip` leaves it out. Every row is one event:
the step it went on from, the step of the last checkpoint when the fault came and the time after that, the exit code of
each process, and what the lines on stderr said, shortened. A starved training goes on. A process that ended by itself
said why in one line, and none printed a traceback of Python. JAX's own lines come before that one if the first process
has ended. In the end, each epoch stands once in `metrics.jsonl`, and the weights are compared with those of an
undisturbed training.
"""
CHAOS_COLUMNS = ("event", "processes x devices", "fault", "goes on from step", "at step", "exit codes", "said")


class Tally:
    """Records the faults of one test. `private`: prefixes that are removed from paths."""

    def __init__(self, record: Callable[[str, object], None], private: Sequence[str]):
        self._record, self._private = record, private

    def fault(self, command: str, kind: str, count: int = 1) -> None:
        """Records faults injected into a command. Call it before the command runs."""
        self._record(FAULT, [command, kind, count])

    def chaos(self, title: str, rows: Sequence[Sequence[str]], figures: str) -> None:
        """Records the events of a training, one row of `CHAOS_COLUMNS` each, and how it compares in the end."""
        self._record(CHAOS, [title, rows, figures])

    def refused(self, command: str, what: str, line: str) -> None:
        """Records the error line for a bad input."""
        for path in self._private:
            line = line.replace(path, "")
        line = re.sub(r"[\d.]+ GB are free", "N GB are free", line)  # differs between runs
        self._record(REFUSED, [command, what, line])


def page(reports: Iterable[pytest.TestReport]) -> str:
    """Returns the page for the reports of all tests."""
    injected, survived = collections.Counter(), collections.Counter()
    refused: dict[str, list[tuple[str, str]]] = collections.defaultdict(list)
    logs: list[tuple[str, list[list[str]], str]] = []
    for report in reports:
        if report.when != "call":
            continue
        test = report.nodeid.rpartition("::")[2].partition("[")[0]
        elsewhere = [(FAULT, fault) for of, *fault in ELSEWHERE if of == test and "tests/faults" not in report.nodeid]
        for name, value in [*report.user_properties, *elsewhere]:
            if name == FAULT:
                command, kind, count = value
                injected[kind, command] += count
                survived[kind, command] += count if report.passed else 0
            elif name == REFUSED and report.passed:
                command, what, line = value
                refused[command].append((what, line))
            elif name == CHAOS and report.passed:
                logs.append(value)
    return "\n".join([HEAD, *_faults(injected, survived), "", *_chaos(logs), *_refused(refused)]) + "\n"


def _faults(injected: collections.Counter, survived: collections.Counter) -> list[str]:
    lines = ["## Faults", "", "| command | fault | injected | survived | lost |", "|---|---|---:|---:|---:|"]
    for kind, command in sorted(injected, key=lambda key: (COMMANDS.index(key[1]), key[0])):
        count, well = injected[kind, command], survived[kind, command]
        lines.append(f"| `{command}` | {kind} | {count} | {well} | {count - well} |")
    total, well = injected.total(), survived.total()
    return [*lines, f"| **all** | | **{total}** | **{well}** | **{total - well}** |"]


def _chaos(logs: list[tuple[str, list[list[str]], str]]) -> list[str]:
    """Returns the section of trainings that were disturbed again and again; nothing if these tests did not run."""
    lines = [CHAOS_HEAD] if logs else []
    for title, rows, figures in sorted(logs):
        lines += [
            f"### {title}",
            "",
            figures,
            "",
            f"| {' | '.join(CHAOS_COLUMNS)} |",
            "|---:|---|---|---:|---|---|---|",
        ]
        lines += [*(f"| {' | '.join(map(_cell, row))} |" for row in rows), ""]
    return lines


def _refused(refused: dict[str, list[tuple[str, str]]]) -> list[str]:
    count = sum(map(len, refused.values()))
    lines = [
        "## Bad inputs",
        "",
        f"{count} damaged or malicious files and settings. The command refuses each with the line shown and a non-zero "
        "exit code. It prints no traceback, writes nothing, and runs no code from the file. Lines are shown without "
        "folders, and long lines are shortened.",
    ]
    for command in COMMANDS:
        if rows := refused.get(command):
            lines += ["", f"### {command}", "", "| input | line |", "|---|---|"]
            lines += [f"| {what} | {_cell(line)} |" for what, line in sorted(rows)]
    return lines


def _cell(line: str) -> str:
    shown = line.removeprefix("error: ")
    shown = shown if len(shown) <= 240 else f"{shown[:160]} [...] {shown[-60:]}"
    return shown.translate(str.maketrans({"|": r"\|", "<": "&lt;", ">": "&gt;", "*": r"\*", "`": "'", "_": r"\_"}))
