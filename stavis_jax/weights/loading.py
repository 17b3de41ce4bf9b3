"""Finds and reads weights of every form: a name, a .pth file, a converted directory, a training's workdir."""

import logging
from pathlib import Path

from data_pipelines.runtime.errors import UserError
from stavis_jax.models import fusion
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.weights.directory import WeightsInfo, is_weights_directory, read_weights
from stavis_jax.weights.flat_names import Weights
from stavis_jax.weights.named_checkpoints import NAMES, advice_if_damaged, locate
from stavis_jax.weights.pytorch_weights import AUDIOVISUAL, REASONS, read_pytorch_weights

KEPT_BY_TRAINING = ("last", "best")  # WORKDIR/<variant>/<one of these>; the first one found is read

log = logging.getLogger("stavis_jax")


def load_weights(path: Path | str | None, variant: str | None = None) -> tuple[Weights, WeightsInfo]:
    """Reads weights of any form.

    All arrays of a STAViS checkpoint are returned, whatever the variant. `info.variant` is the given variant. If none
    is given, it is the variant that a converted or trained directory records; of a workdir with several, the one that
    uses sound. A .pth or .safetensors file counts as visual if its sound part was never trained; a line in the log says
    so.

    `path` may be one of `named_checkpoints.NAMES`. The authors' checkpoints among them are fetched at their first use.
    None stands for the starter network.

    Raises:
      UserError: the path does not exist, has another format or is damaged, the variant is unknown, or a named
        checkpoint cannot be fetched.
    """
    check_variant(variant)
    path = locate(path)
    if not path.exists():
        raise missing_checkpoint(path)
    if path.is_file():
        weights, info, *_ = read_pytorch_weights(path, variant)
        if info.kind == "stavis" and variant is None:
            log.warning("%s: taken as %s, since %s.", path, info.variant, REASONS[str(info.variant)])
        return weights, info
    directory = find_directory(path, variant)
    return read_weights(directory, advice_if_damaged(directory))


def missing_checkpoint(path: Path) -> UserError:
    """Returns the error for a path that does not exist."""
    return UserError(
        f"{path}: no such file or directory. Give a .pth or .safetensors file, a converted directory, a workdir, "
        f"or one of these names: {', '.join(NAMES)}."
    )


def find_directory(path: Path, variant: str | None = None) -> Path:
    """Returns `path` if it is a converted directory, otherwise the directory that a training wrote in it.

    Raises:
      UserError: there is no such directory, or none of that variant.
    """
    if is_weights_directory(path):
        return path
    here = _kept(path)
    if here is not None:
        return here
    trained = {name: kept for name in fusion.VARIANTS if (kept := _kept(path / name)) is not None}
    if not trained:
        raise UserError(
            f"{path}: neither a converted checkpoint nor a training's workdir. "
            "Convert with `python -m stavis_jax.convert`, or train with `python -m stavis_jax.main`."
        )
    if variant is None:
        variant = max(trained, key=lambda name: fusion.VARIANTS[name].uses_sound)
        log.info("%s: %s is taken.", path, trained[variant])
    elif variant not in trained:
        raise UserError(f"{path}: {variant} is not trained here, only {', '.join(trained)}. Give one of these.")
    return trained[variant]


def check_variant(variant: str | None) -> None:
    """Raises UserError, with the list of variants, if `variant` is neither None nor on the list."""
    try:
        NetworkConfig(variant or AUDIOVISUAL)
    except ValueError as error:
        raise UserError(f"{error}. Give one of them.") from error


def _kept(directory: Path) -> Path | None:
    return next((directory / name for name in KEPT_BY_TRAINING if is_weights_directory(directory / name)), None)
