"""Flags of the commands that take --config. A wrong flag ends the command with a one-line error that names it."""

import dataclasses
import os
import sys
from collections.abc import Callable, Sequence

import ml_collections
from absl import app, flags
from ml_collections import config_flags

from data_pipelines.runtime.arguments import program_name
from data_pipelines.runtime.errors import UserError, one_line
from stavis_jax import configs

HELP_FLAGS = {"-h", "-help", "--help", "-helpfull", "--helpfull"}

flags.disclaim_key_flags()  # --help shows the flags below as those of the command


@dataclasses.dataclass(frozen=True)
class RunFlags:
    """The flags that `main` and `ablate` share. Each has its value in `.value`."""

    recipe: str  # recommended in errors
    config: flags.FlagHolder
    workdir: flags.FlagHolder
    mode: flags.FlagHolder
    notify: flags.FlagHolder


def define_run_flags(recipe: str, modes: Sequence[str], default_workdir: str) -> RunFlags:
    """Defines --config, --workdir, --mode and --notify; the first of the modes is the default."""
    meanings = {"evaluate": "score trained weights", "table": "make the table from existing scores"}
    meaning = "".join(f" {mode}: {meanings[mode]}." for mode in modes if mode in meanings)
    return RunFlags(
        recipe,
        config_flags.DEFINE_config_file("config", None, f"Recipe: {recipe}, {recipe}:demo or FILE.py."),
        flags.DEFINE_string("workdir", None, f"Folder for everything that is written. Default: {default_workdir}."),
        flags.DEFINE_enum("mode", modes[0], modes, f"What to do.{meaning}"),
        flags.DEFINE_string(
            "notify", None, "Shell command to run at the end or a failure. STAVIS_OUTCOME in its environment says how."
        ),
    )


def define_list(name: str, meaning: str) -> flags.FlagHolder:
    """Defines a flag with several values: --NAME A B, --NAME=A,B or --NAME=A --NAME=B. None if it is not given."""
    holder = flags.DEFINE_multi_string(name, None, meaning)
    flags.FLAGS[name].help = meaning  # absl adds that the flag is to be repeated, which is one way of three
    return holder


def start(run: Callable[[list[str]], None], module: str, description: str | None) -> None:
    """Parses the flags and calls `run`. --help is the same for `python -m module` and the console script.

    Args:
      run: the body of the command.
      module: the command, such as "stavis_jax.main".
      description: the module's docstring, which python -OO removes. It stands above the flags of --help.
    """
    # absl shows the docstring of the module __main__, and the flags that are registered under the program's path.
    description = (description or "").removeprefix("Command: ").replace(f"python -m {module}", program_name(module))
    sys.modules["__main__"].__doc__ = description[:1].upper() + description[1:]
    for flag in flags.FLAGS.get_key_flags_for_module(module):
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)
    try:
        app.run(run, flags_parser=parse)
    except SystemExit as end:
        if end.code == 1 and HELP_FLAGS & set(sys.argv[1:]):  # absl ends --help with code 1
            sys.exit(0)
        raise


def read_config(run: RunFlags, rest: Sequence[str]) -> ml_collections.ConfigDict:
    """Returns the configuration. Checks whatever can be checked without heavy imports.

    Args:
      run: the flags.
      rest: the program's name and the arguments that no flag took.

    Raises:
      UserError: an argument or setting is unknown, missing or out of range, or two do not go together.
    """
    if len(rest) > 1:
        raise UserError(f"{rest[1]}: unknown argument. Give settings as --config.KEY=VALUE.")
    config = run.config.value
    if config is None:
        raise UserError(f"--config: missing. Try --config={run.recipe}.")
    if config.preset not in configs.PRESETS or (config.preset == "demo" and "demo" not in config):
        raise UserError("--config.preset cannot be set directly. Use --config=FILE:demo.")
    if config.preset == "demo" and (config.data.path or config.data.raw):
        raise UserError("--config.data.path: the demo makes its own data. Leave out the path, or ':demo'.")
    if config.data.raw and not config.data.path:
        raise UserError("--config.data.path: missing, but --config.data.raw is given. Give the shards too.")
    if config.seed < 0:
        raise UserError(f"--config.seed={config.seed}: give 0 or more.")
    return config


def overrides() -> dict[str, object]:
    """Returns the settings given as --config.KEY=VALUE, by dotted key."""
    return config_flags.get_override_values(flags.FLAGS["config"])


def parse(argv: Sequence[str]) -> list[str]:
    """Parses the flags of `argv` and returns what no flag took.

    Beyond absl's syntax, --config takes the name of a recipe, and a list flag several values: --variants A B.
    Ends the process with one line if a flag, the configuration file or a setting is wrong.
    """
    try:
        rest = flags.FLAGS(_absl_syntax(argv))
        if flags.FLAGS.config is not None:
            flags.FLAGS.config.get("preset")  # ml_collections reports an unreadable file on first use
        return rest
    except (AttributeError, KeyError) as error:
        unknown = str(error).strip("\"'")
        sys.exit(f"error: --config: has no setting {unknown!r}. {configs.FOLDER / 'av.py'} lists the settings.")
    except OSError as error:
        reason = _last_line(error).rstrip(".")
        sys.exit(f"error: --config: {reason}. Give a file, or one of {', '.join(configs.names())}.")
    except Exception as error:  # a configuration file may raise anything
        reason = _last_line(error)
        sys.exit(f"error: {'' if reason.startswith('flag --') else '--config: '}{reason}")


def _last_line(error: Exception) -> str:
    """Returns the reason of an error. ml_collections puts the traceback of a configuration file before it."""
    return one_line(str(error).strip().splitlines()[-1]).removeprefix("ValueError: ")


def _absl_syntax(argv: Sequence[str]) -> list[str]:
    """Replaces the name of a recipe by its file, --variants A B by --variants A --variants=B, and ~ by the home folder.

    Shells keep ~ in --flag=~/path.
    """
    arguments: list[str] = []
    flag = ""
    for argument in argv:
        is_value = bool(flag) and arguments[-1] == flag
        argument = "--help" if argument == "-h" else argument  # absl knows the long form only
        if argument.startswith("-"):
            flag, equals, value = argument.partition("=")
            value = os.path.expanduser(value)
            argument = f"{flag}{equals}{configs.locate(value) if flag.lstrip('-') == 'config' else value}"
        elif is_value and flag.lstrip("-") == "config":
            argument = configs.locate(argument)
        elif not is_value and _is_list(flag.lstrip("-")):
            argument = f"{flag}={argument}"
        arguments.append(argument)
    return arguments


def _is_list(name: str) -> bool:
    return name in flags.FLAGS and isinstance(flags.FLAGS[name], flags.MultiFlag)
