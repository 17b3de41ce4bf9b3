"""Argument parsing shared by the commands: the parser, types of flags, and flags that every command has."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from data_pipelines.runtime.errors import UserError


class CommandParser(argparse.ArgumentParser):
    """Parses the flags of a command. A wrong flag raises UserError, which `command` prints as one line.

    The description keeps its line breaks. Help texts end in the flag's default. `~` in a path is the home folder, also
    in --flag=~/path, where shells keep it.

    Args:
      module: the command, such as "stavis_jax.predict".
      description: text above the flags, such as the module's docstring, which python -OO removes.
      example: arguments of one run, or several lines for several runs.
    """

    def __init__(self, module: str, description: str | None, example: str):
        prog = program_name(module)
        runs = "\n".join(f"  {prog} {arguments}" for arguments in example.splitlines())
        super().__init__(
            prog=prog,
            description=_first_upper((description or "").removeprefix("Command: ")),
            epilog=f"example:\n{runs}",
            formatter_class=_HelpFormatter,
        )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        return super().parse_known_args(self._paths_first(sys.argv[1:] if args is None else args), namespace)

    def _paths_first(self, arguments: Sequence[str]) -> list[str]:
        """Moves paths that follow the values of a list flag to the front, as in `--outputs maps,track film.mp4`.

        argparse would take them for values of the flag. Only for commands with positional arguments, and for flags
        whose values are known.
        """
        if not any(not action.option_strings for action in self._actions):
            return list(arguments)
        moved: list[str] = []
        kept: list[str] = []
        action, number = None, 0
        for index, argument in enumerate(arguments):
            if argument == "--":
                return [*moved, *kept, *arguments[index:]]
            if argument.startswith("-"):
                action, number = self._option_string_actions.get(argument), 0
            elif isinstance(action, ListAction) and action.ends_before(argument, number):
                moved.append(argument)
                continue
            else:
                number += 1
            kept.append(argument)
        return [*moved, *kept]

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        value = super()._get_value(action, arg_string)
        return Path(os.path.expanduser(value)) if isinstance(value, Path) else value

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message.removeprefix('argument ').rstrip('.')}. Use --help to list the flags.")

    def add_workers(self) -> None:
        self.add_argument(
            "--workers", type=positive_integer, metavar="N", help="number of processes (default: one per core)"
        )

    def add_seed(self, what: str) -> None:
        """`what`: the random choices that the seed determines."""
        self.add_argument("--seed", type=non_negative_integer, default=0, metavar="N", help=f"seed of {what}")

    def add_overwrite(self, what: str) -> None:
        self.add_argument("--overwrite", action="store_true", help=f"replace {what}")


def program_name(module: str) -> str:
    """Returns how a user started the command `module`: by its console script, or by `python -m`."""
    script = Path(sys.argv[0]).stem
    return script if script.startswith("stavis-") else f"python -m {module}"


class ListAction(argparse.Action):
    """Collects values that are separated by spaces, commas or both: `--splits 1 2` is `--splits 1,2`.

    `type` and `choices` apply to each value. Not for paths, which may contain commas: use nargs="+" for them.
    """

    def __init__(
        self,
        option_strings: Sequence[str],
        dest: str,
        nargs: str = "+",
        type: Callable[[str], Any] = str,
        choices: Sequence[Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(option_strings, dest, nargs, **kwargs)
        self._convert, self._known = type, choices

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        texts = [text.strip() for value in values for text in value.split(",") if text.strip()]
        if not texts and self.nargs == "+":
            raise argparse.ArgumentError(self, "expected at least one value")
        found = [self._value(text) for text in dict.fromkeys(texts)]
        setattr(namespace, self.dest, found)

    def ends_before(self, text: str, number: int) -> bool:
        """Returns whether `text` after `number` values is a path and none of the known values."""
        if not self._known or (number == 0 and self.nargs == "+"):
            return False
        looks_like_path = any(char in text for char in "/.*?") or Path(text).exists()
        return looks_like_path and not any(part.strip() in map(str, self._known) for part in text.split(","))

    def _value(self, text: str) -> Any:
        try:
            value = self._convert(text)
            if self._known is None or value in self._known:
                return value
        except argparse.ArgumentTypeError as error:
            raise argparse.ArgumentError(self, str(error)) from error
        except ValueError:
            pass
        choices = f", choose from {', '.join(map(str, self._known))}" if self._known else ""
        raise argparse.ArgumentError(self, f"{text!r} is not known{choices}")


def positive_integer(text: str) -> int:
    return _integer(text, 1)


def non_negative_integer(text: str) -> int:
    return _integer(text, 0)


def image_size(text: str) -> tuple[int, int]:
    """Returns (width, height) in pixels of a text such as "320x240"."""
    width, times, height = text.lower().partition("x")
    if not (times and width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT in pixels, such as 320x240, found {text!r}")
    return int(width), int(height)


def _integer(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:  # no number, or one of thousands of digits
        number = least - 1
    if number < least:
        raise argparse.ArgumentTypeError(f"expected a whole number of {least} or more, found {text!r}")
    return number


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Adds "(default: ...)" to each flag that has a value by default and does not name it itself."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        default = action.default
        shown = " ".join(map(str, default)) if isinstance(default, (list, tuple)) else str(default)
        has_default = default not in (None, argparse.SUPPRESS) and not isinstance(default, bool) and shown
        if not has_default or "default:" in (action.help or ""):
            return action.help
        return f"{action.help} (default: {shown.replace('%', '%%')})"


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]
