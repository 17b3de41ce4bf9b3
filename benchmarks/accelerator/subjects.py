"""Settings, weights and inputs of the measurements, the same for PyTorch and for our network. Uses no GPU."""

import dataclasses
import functools
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np

from benchmarks import inputs
from benchmarks.machine import peak_tflops

GOLDEN = Path(__file__).parents[2] / "tests" / "golden"
SIDE_WEIGHT = 0.5  # weight of the side maps in the loss of `visual`, as in the middle of a training
DIFFERENT_CLIPS = 16  # larger batches repeat them, because drawing more takes longer than the measurement
# XLA's count for the usual program at depth 50 and 112 pixels. Additional operations of a rewrite do not count.
GFLOP_OF_CLIP = {
    ("training step", "visual"): 43.9,
    ("training step", "l3mul-s3"): 44.3,
    ("forward", "visual"): 16.5,
    ("forward", "l3mul-s3"): 16.6,
}


@dataclasses.dataclass(frozen=True)
class Setting:
    """The network and the batch of a measurement.

    Attributes:
      variant: "visual" or "l3mul-s3".
      dtype: number format of the trunk: "bfloat16", "float32", or "TF32", float32 with products that may round their
        factors to 10 bits.
      clips: number of clips of 16 frames in a call.
      depth: depth of the trunk.
      size: height and width of frames, pixels.
      seconds: how long to measure.
      form: what is changed of the form of our network, one of jax_network.CHANGES; "" for nothing.
    """

    variant: str = "visual"
    dtype: str = "bfloat16"
    clips: int = 32
    depth: int = 50
    size: int = 112
    seconds: float = 1.5
    form: str = ""

    @property
    def name(self) -> str:
        return ", ".join(filter(None, (self.variant, self.dtype, f"{self.clips} clips", self.form)))

    @property
    def stored(self) -> str:
        """Returns the dtype of the activations."""
        return "float32" if self.dtype == "TF32" else self.dtype

    @property
    def precision(self) -> str:
        """Returns the argument for jax.default_matmul_precision."""
        return "default" if self.dtype == "TF32" else "highest"

    def rates(self, job: str, seconds: float, device_kind: str) -> dict[str, float]:
        """Returns milliseconds; for the full network also TFLOP/s, and their share of the maker's bfloat16 peak."""
        detail = {"ms": 1e3 * seconds}
        gflop = GFLOP_OF_CLIP.get((job, self.variant)) if (self.depth, self.size) == (50, 112) else None
        if gflop:
            detail["tflops"] = gflop * self.clips / seconds / 1e3
            if peak := peak_tflops(device_kind, "bfloat16"):
                detail["share_of_peak"] = detail["tflops"] / peak
        return detail

    def batch(self) -> dict[str, np.ndarray]:
        """Returns clip [B, 16, S, S, 3], waveform [B, 35280], density and fixations [B, S, S], and weight [B]."""
        few = min(self.clips, DIFFERENT_CLIPS)
        clip, waveform = inputs.clips(few, self.size)
        density, fixations = inputs.maps(few, self.size)
        arrays = {"clip": clip, "waveform": waveform, "density": density, "fixations": fixations}
        repeated = {name: array[np.arange(self.clips) % few] for name, array in arrays.items()}
        return repeated | {"weight": np.ones(self.clips, np.float32)}


@functools.cache
def formulas() -> ModuleType:
    """Imports tests/golden/weights.py, which makes weights and inputs from formulas."""
    spec = importlib.util.spec_from_file_location("golden_formulas", GOLDEN / "weights.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def torch_state(depth: int, shortcut: str = "B", seed: int = 0, variant: str = "head") -> dict[str, np.ndarray]:
    """Returns a PyTorch state dict of weights from formulas, with keys without `module.`.

    With the variant "head", the losses of a few training steps stay finite.
    """
    name = f"audiovisual_resnet{depth}" + ("_shortcutA" if shortcut == "A" else "")
    spec = json.loads((GOLDEN / "specs" / f"{name}.json").read_text())
    state = formulas().state_dict(spec, seed, variant)
    return {key.removeprefix("module."): array for key, array in state.items()}


@functools.cache
def weights(depth: int, shortcut: str = "B", seed: int = 0, variant: str = "head") -> dict[str, np.ndarray]:
    """Returns the same weights by our flat names."""
    from stavis_jax.weights.checkpoint_kinds import Architecture
    from stavis_jax.weights.transfer import from_pytorch

    state = torch_state(depth, shortcut, seed, variant)
    return from_pytorch(state, Architecture("stavis", depth, shortcut), "formulas").weights
