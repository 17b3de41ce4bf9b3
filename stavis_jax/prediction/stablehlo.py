"""Exports a network as StableHLO, which runs with JAX alone on CPU, CUDA and TPU.

The exported function, for any batch size B and for heights and widths that are multiples of 16:

  weights    arrays by name; only of an export without weights
  clip       uint8 [B, 16, H, W, 3], RGB as stored, 0 to 255; the function subtracts the mean itself
  waveform   float32 [B, 35280] at 22,050 Hz in [-256, 256), Hann-windowed; left out for networks without sound
  returns    float32 [B, H, W], saliency in [0, 1]
"""

import functools
import os
from pathlib import Path
from typing import Any, Literal

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

from data_pipelines.inputs.windows import CLIP_FRAMES, MEAN_RGB, WAVEFORM_SAMPLES
from data_pipelines.runtime import atomic
from data_pipelines.runtime.errors import UserError
from stavis_jax.ops.backend_form import TEXTBOOK
from stavis_jax.prediction import programs
from stavis_jax.prediction.model import StavisModel
from stavis_jax.weights.flat_names import Weights

Placement = Literal["inside", "beside"]

PLATFORMS = ("cpu", "cuda", "tpu")
SIZE_MULTIPLE = 16  # of height and width; other sizes would be cropped on the way
WEIGHTS_SUFFIX = ".npz"


def export_network(model: StavisModel, weights: Placement = "inside") -> jax.export.Exported:
    """Exports a network in the textbook form and the number format of `model`."""
    arrays = model.weights

    def saliency(arrays: Weights, clip: jax.Array, *waveform: jax.Array) -> jax.Array:
        inputs = clip.astype(jnp.float32) - jnp.asarray(MEAN_RGB, jnp.float32).reshape(1, 1, 1, 1, 3)
        heard = waveform[0] if waveform else None
        logits = programs.logits.inline(model.config, TEXTBOOK, arrays, inputs, heard, dtype=model.dtype)
        return jax.nn.sigmoid(logits)

    batch, rows, columns = jax.export.symbolic_shape("batch, rows, columns")
    size = SIZE_MULTIPLE * rows, SIZE_MULTIPLE * columns
    struct: Any = jax.ShapeDtypeStruct  # it has no types
    shapes = [struct((batch, CLIP_FRAMES, *size, 3), jnp.uint8)]
    if model.uses_sound:
        shapes.append(struct((batch, WAVEFORM_SAMPLES), jnp.float32))
    if weights == "beside":
        return jax.export.export(jax.jit(saliency), platforms=PLATFORMS)(arrays, *shapes)
    return jax.export.export(jax.jit(functools.partial(saliency, arrays)), platforms=PLATFORMS)(*shapes)


def check_output(output: Path, weights: Placement, overwrite: bool) -> list[Path]:
    """Returns the files that `write_export` writes. Raises UserError if a file exists and must not be replaced."""
    paths = [output, weights_path(output)] if weights == "beside" else [output]
    for path in paths:
        if path.is_dir():
            raise UserError(f"{path}: is a directory. Give the name of a file.")
        if path.exists() and not overwrite:
            raise UserError(f"{path}: exists already. Give --overwrite to replace it, or another --output.")
    return paths


def write_export(model: StavisModel, output: Path, weights: Placement = "inside", *, overwrite: bool = False) -> None:
    """Writes an export to a file, whole or not at all.

    With the weights beside, `output`.npz holds them. It is written first, and an older `output` is removed before, so
    that a program never stands beside the weights of another one.

    Raises:
      UserError: a file exists and `overwrite` is false, it is a directory, or it cannot be written.
    """
    check_output(output, weights, overwrite)
    replaces_program = output.exists()
    try:
        with atomic.temporary_folder_beside(output) as aside:
            (aside / "program").write_bytes(export_network(model, weights).serialize())
            if weights == "beside":
                arrays: Any = model.weights  # NumPy's types take them for allow_pickle, which older versions lack
                with (aside / "weights").open("wb") as file:
                    np.savez(file, **arrays)
                output.unlink(missing_ok=True)
                os.replace(aside / "weights", weights_path(output))
            os.replace(aside / "program", output)
            if weights == "inside" and replaces_program:
                weights_path(output).unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{output}: cannot be written ({error.strerror}). Give another --output.") from error


def weights_path(output: Path) -> Path:
    return output.with_name(output.name + WEIGHTS_SUFFIX)
