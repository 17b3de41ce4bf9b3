"""Flags that all commands share: lists, numbers, defaults in the help, errors of one line."""

import argparse
from pathlib import Path

import pytest

from data_pipelines.runtime.arguments import (
    CommandParser,
    ListAction,
    image_size,
    non_negative_integer,
    positive_integer,
)
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError


@pytest.fixture
def parser() -> CommandParser:
    parser = CommandParser("package.module", "Command: does it.", "--splits 1")
    parser.add_argument("--splits", action=ListAction, type=int, choices=(1, 2, 3), default=[1, 2, 3], help="which")
    parser.add_argument("--databases", action=ListAction, help="folders")
    parser.add_argument("--share", default="100%", help="of all")
    parser.add_argument("--size", type=image_size, help="in pixels")
    parser.add_workers()
    parser.add_seed("the draw")
    parser.add_overwrite("an older result")
    return parser


@pytest.mark.parametrize("given", [["1", "3"], ["1,3"], ["1,", "3"], ["1", ",3"], ["1, 3"], ["1", "3", "1"]])
def test_lists_take_spaces_and_commas(parser, given):
    assert parser.parse_args(["--splits", *given]).splits == [1, 3]


@pytest.mark.parametrize(
    "given",
    [
        ["--outputs", "maps,track", "a.mp4", "b"],
        ["--outputs", "maps", "track", "a.mp4", "b"],
        ["a.mp4", "b", "--outputs", "maps,track"],
        ["--panes", "--outputs", "maps,track", "a.mp4", "b"],
        ["--outputs", "maps,track", "--panes", "a.mp4", "b"],
        ["--outputs=maps,track", "a.mp4", "b"],
        ["--outputs", "maps,track", "--", "a.mp4", "b"],
    ],
)
def test_paths_may_follow_a_list(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b").mkdir()
    parser = CommandParser("package.module", "Command: does it.", "film.mp4")
    parser.add_argument("films", nargs="+")
    parser.add_argument("--outputs", action=ListAction, choices=("maps", "track"))
    parser.add_argument("--panes", action=ListAction, nargs="*", choices=("attention",), default=[])
    flags = parser.parse_args(given)
    assert (flags.films, flags.outputs, flags.panes) == (["a.mp4", "b"], ["maps", "track"], [])
    with pytest.raises(UserError, match="--outputs: 'trakc' is not known"):
        parser.parse_args(["a.mp4", "--outputs", "maps", "trakc"])


def test_without_flags_there_are_defaults(parser):
    flags = parser.parse_args([])
    assert (flags.splits, flags.databases, flags.workers, flags.seed, flags.overwrite) == ([1, 2, 3], None, None, 0, 0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--splits", "4"], "--splits: '4' is not known, choose from 1, 2, 3. Use --help"),
        (["--splits", "one"], "--splits: 'one' is not known, choose from 1, 2, 3. Use --help"),
        (["--splits", ","], "--splits: expected at least one value. Use --help"),
        (["--splits"], "--splits: expected at least one argument. Use --help"),
        (["--workers", "0"], "--workers: expected a whole number of 1 or more, found '0'. Use --help"),
        (["--workers", "9" * 5000], "--workers: expected a whole number of 1 or more, found "),
        (["--seed", "-1"], "--seed: expected a whole number of 0 or more, found '-1'. Use --help"),
        (["--size", "12"], "--size: expected WIDTHxHEIGHT in pixels, such as 320x240, found '12'. Use --help"),
        (["--fast"], "unrecognized arguments: --fast. Use --help"),
    ],
)
def test_a_wrong_flag_is_a_user_error_that_names_it(parser, given, message):
    with pytest.raises(UserError) as raised:
        parser.parse_args(given)
    assert str(raised.value).startswith(message)
    with pytest.raises(SystemExit) as end:
        command(parser.parse_args)(given)
    assert end.value.code.startswith(f"error: {message}") and "\n" not in end.value.code


def test_help_names_each_default_once(parser):
    text = " ".join(parser.format_help().split())
    assert "Does it." in text and "Command" not in text
    assert "which (default: 1 2 3)" in text
    assert "of all (default: 100%)" in text
    assert "seed of the draw (default: 0)" in text
    assert "folders --share" in text  # without a default
    assert "number of processes (default: one per core)" in text
    assert text.endswith("example: python -m package.module --splits 1")


def test_numbers():
    assert (positive_integer("7"), non_negative_integer("0"), image_size("320X240")) == (7, 0, (320, 240))
    for convert, text in ((positive_integer, "1.5"), (non_negative_integer, ""), (image_size, "-3x4")):
        with pytest.raises(argparse.ArgumentTypeError):
            convert(text)


@pytest.mark.parametrize("form", ["--output=~/maps", "--output", "films"])
def test_a_path_may_begin_with_the_home_folder(monkeypatch, form):
    monkeypatch.setenv("HOME", "/home/somebody")
    parser = CommandParser("package.module", None, "film")
    parser.add_argument("films", nargs="*", type=Path)
    parser.add_argument_group("more").add_argument("--output", type=Path, default=Path("out"))
    arguments = ["~/maps"] if form == "films" else [form] if "=" in form else [form, "~/maps"]
    found = parser.parse_args(arguments)
    assert Path("/home/somebody/maps") in (found.output, *found.films)
    assert parser.parse_args(["~draft.mp4"]).films == [Path("~draft.mp4")]


def test_help_needs_no_docstring(capsys):
    """`python -OO` removes docstrings."""
    parser = CommandParser("package.module", None, "--splits 1")
    with pytest.raises(SystemExit):
        parser.parse_args(["--help"])
    assert "package.module --splits 1" in capsys.readouterr().out
