"""What the commands that take --config share: reading flags, and one line where they are wrong."""

import sys

import ml_collections
from absl import flags

from data_pipelines.runtime.errors import UserError


def check(config: ml_collections.ConfigDict | None, rest: list[str], file: str) -> ml_collections.ConfigDict:
    """The settings, looked at before anything heavy is imported.

    Args:
      config: value of --config.
      rest: what no flag took; the first one is the program's name.
      file: a config to recommend.

    Raises:
      UserError: something is not understood, not given, or does not go together.
    """
    if len(rest) > 1:
        raise UserError(f"{rest[1]}: not understood. Settings are given as --config.KEY=VALUE.")
    if config is None:
        raise UserError(f"--config: not given. Try --config={file}.")
    if config.preset not in ("paper", "demo") or (config.preset == "demo" and "demo" not in config):
        raise UserError(f"--config.preset={config.preset}: cannot be chosen so. Write --config={file}:demo.")
    if config.preset == "demo" and (config.data.path or config.data.raw):
        raise UserError("--config.data.path: the demo makes its own data. Leave it out, or leave out ':demo'.")
    if config.data.raw and not config.data.path:
        raise UserError("--config.data.path: not given, but --config.data.raw is. Give the shards too.")
    if config.seed < 0:
        raise UserError(f"--config.seed={config.seed}: give 0 or more.")
    return config


def parse(argv: list[str]) -> list[str]:
    """Flags, with one line instead of a traceback where the config file or one of its settings is wrong."""
    try:
        rest = flags.FLAGS(argv)
        if flags.FLAGS.config is not None:
            flags.FLAGS.config.get("preset")  # a file that could not be read tells so when it is first used
        return rest
    except (AttributeError, KeyError) as error:
        unknown = str(error).strip("\"'")
        sys.exit(f"error: --config: has no setting {unknown!r}. The settings are in stavis_jax/experiments/recipes.py.")
    except (flags.Error, OSError, ValueError, TypeError) as error:
        named = "" if _last_line(error).startswith("flag --") else "--config: "
        sys.exit(f"error: {named}{_last_line(error)}")


def _last_line(error: Exception) -> str:
    """The cause: ml_collections puts the traceback of a config file into its message."""
    return str(error).strip().splitlines()[-1].strip()
