"""Networks, weights and inputs that the measurements share, the same for PyTorch and for us. No GPU is touched here."""

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
SIDE_WEIGHT = 0.5  # of the stages' own maps in the loss of `visual`, as in the middle of a training
DIFFERENT_CLIPS = 16  # a larger batch holds them again and again: drawing more takes longer than the measurement
# XLA's count of the plain program at depth 50 and 112 pixels. What a rewrite does more is not counted as useful.
GFLOP_OF_CLIP = {
    ("training step", "visual"): 43.9,
    ("training step", "l3mul-s3"): 44.3,
    ("forward", "visual"): 16.5,
    ("forward", "l3mul-s3"): 16.6,
}


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a measurement is of.

    Attributes:
      variant: of the network, visual or l3mul-s3.
      dtype: of the trunk: bfloat16, float32, or TF32, which is float32 whose products may round factors to 10 bits.
      clips: of 16 frames, a call.
      depth: of the trunk.
      size: height and width of frames, pixels.
      seconds: to measure for.
    """

    variant: str = "visual"
    dtype: str = "bfloat16"
    clips: int = 32
    depth: int = 50
    size: int = 112
    seconds: float = 1.5

    @property
    def name(self) -> str:
        return f"{self.variant}, {self.dtype}, {self.clips} clips"

    @property
    def stored(self) -> str:
        """The type of activations."""
        return "float32" if self.dtype == "TF32" else self.dtype

    @property
    def precision(self) -> str:
        """The same for jax.default_matmul_precision."""
        return "default" if self.dtype == "TF32" else "highest"

    def rates(self, job: str, seconds: float, device_kind: str) -> dict[str, float]:
        """Milliseconds; of the full network TFLOP/s too, and their share of what the maker states for bfloat16."""
        detail = {"ms": 1e3 * seconds}
        gflop = GFLOP_OF_CLIP.get((job, self.variant)) if (self.depth, self.size) == (50, 112) else None
        if gflop:
            detail["tflops"] = gflop * self.clips / seconds / 1e3
            if peak := peak_tflops(device_kind, "bfloat16"):
                detail["share_of_peak"] = detail["tflops"] / peak
        return detail

    def batch(self) -> dict[str, np.ndarray]:
        """A training batch: clip [B, 16, S, S, 3], waveform [B, 35280], density, fixations [B, S, S], weight [B]."""
        few = min(self.clips, DIFFERENT_CLIPS)
        clip, waveform = inputs.clips(few, self.size)
        density, fixations = inputs.maps(few, self.size)
        arrays = {"clip": clip, "waveform": waveform, "density": density, "fixations": fixations}
        repeated = {name: array[np.arange(self.clips) % few] for name, array in arrays.items()}
        return repeated | {"weight": np.ones(self.clips, np.float32)}


@functools.cache
def formulas() -> ModuleType:
    """tests/golden/weights.py, which makes weights and inputs from formulas."""
    spec = importlib.util.spec_from_file_location("golden_formulas", GOLDEN / "weights.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def torch_state(depth: int, shortcut: str = "B", seed: int = 0, variant: str = "head") -> dict[str, np.ndarray]:
    """A state dict of formula weights, keys without `module.`; with "head" a few training steps stay finite."""
    name = f"audiovisual_resnet{depth}" + ("_shortcutA" if shortcut == "A" else "")
    spec = json.loads((GOLDEN / "specs" / f"{name}.json").read_text())
    state = formulas().state_dict(spec, seed, variant)
    return {key.removeprefix("module."): array for key, array in state.items()}


@functools.cache
def weights(depth: int, shortcut: str = "B", seed: int = 0, variant: str = "head") -> dict[str, np.ndarray]:
    """The same by our flat names."""
    from stavis_jax.weights.transfer import from_pytorch

    state = torch_state(depth, shortcut, seed, variant)
    return from_pytorch(state, "stavis", depth, shortcut, "the formulas").weights
