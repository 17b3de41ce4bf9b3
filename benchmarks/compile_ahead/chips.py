"""The chips to compile for, and how their compilers are installed and started."""

import dataclasses
import importlib.util
import os
import re
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.machine import peak_tflops
from data_pipelines.runtime.errors import UserError


@dataclasses.dataclass(frozen=True)
class Chip:
    """Describes a kind of chip.

    Attributes:
      name: its name on the command line.
      title: its name in tables.
      platform: "tpu" or "gpu".
      kind: the name that JAX gives such a device.
      memory_gb: its memory.
      clock_ghz: clock of the cycles that the compiler estimates; None if it estimates none.
      modules: the compiler's modules.
      packages: the packages that hold them; "JAX" stands for the version of JAX.
      jobs_per_process: how many programs one process compiles. A training step for a TPU takes up to 9 GB, and the
        compiler keeps some of it.
    """

    name: str
    title: str
    platform: str
    kind: str
    memory_gb: int
    clock_ghz: float | None
    modules: tuple[str, ...]
    packages: tuple[str, ...]
    jobs_per_process: int

    @property
    def peak_tflops(self) -> float:
        return peak_tflops(self.kind, "bfloat16")


_LIBTPU, _CUDA = ("libtpu",), ("jax_cuda12_plugin", "jax_plugins.xla_cuda12", "nvidia.cuda_nvcc")
_CUDA_PACKAGES = ("jax-cuda12-plugin==JAX", "jax-cuda12-pjrt==JAX", "nvidia-cuda-nvcc-cu12")
CHIPS = {
    chip.name: chip
    for chip in (
        Chip("v5e", "TPU v5e", "tpu", "TPU v5e", 16, 1.5, _LIBTPU, ("libtpu",), 1),
        Chip("v6e", "TPU v6e", "tpu", "TPU v6e", 32, 1.75, _LIBTPU, ("libtpu",), 1),
        Chip("h100", "NVIDIA H100", "gpu", "NVIDIA H100 80GB HBM3", 80, None, _CUDA, _CUDA_PACKAGES, 1000),
    )
}


def check_installed(chip: Chip) -> None:
    """Raises UserError if the chip's compiler is not installed."""
    if not all(map(_found, chip.modules)):
        packages = " ".join(_versioned(package) for package in chip.packages)
        raise UserError(
            f"--chip {chip.name}: its compiler is not installed. Run pip install --no-deps {packages}, best in an "
            "environment of its own."
        )


def environment(chip: Chip) -> dict[str, str]:
    """Returns the environment of a process that compiles for a chip."""
    own = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    own |= {"JAX_PLATFORMS": "cpu"}
    if chip.platform == "tpu":
        # libtpu may be loaded several times, since no chip is driven, and asks no server about the machine.
        return own | {"TPU_SKIP_MDS_QUERY": "1", "ALLOW_MULTIPLE_LIBTPU_LOAD": "1"}
    tools = next(path / "cuda_nvcc" for path in _folders("nvidia") if (path / "cuda_nvcc").is_dir())
    # Autotuning would run candidates on the GPU.
    flags = f"{own.get('XLA_FLAGS', '')} --xla_gpu_autotune_level=0 --xla_gpu_cuda_data_dir={tools}"
    return own | {"XLA_FLAGS": flags.strip(), "PATH": f"{tools / 'bin'}{os.pathsep}{own.get('PATH', '')}"}


def devices(chip: Chip, count: int) -> list[Any]:
    """Returns devices that can be compiled for but not used. Call it in an environment as above."""
    from jax.experimental import topologies

    if chip.platform == "tpu":
        shape = "2x2" if count <= 4 else "2x4"
        found = topologies.get_topology_desc(platform="tpu", topology_name=f"{chip.name}:{shape}")
    else:
        target = Path(__file__).with_name(f"{chip.name}.txtpb").read_text(encoding="utf-8")
        found = topologies.get_topology_desc(platform="cuda", target_config=target, topology=f"1x1x{count}")
    return list(found.devices)[:count]


def compiler_version(chip: Chip) -> str:
    """Returns the versions that decide what is compiled, such as "jax 0.10.2, libtpu 0.0.42.1"."""
    package = "libtpu" if chip.platform == "tpu" else "jax-cuda12-plugin"
    return ", ".join(f"{name} {metadata.version(name)}" for name in ("jax", package))


def _found(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the parent is missing
        return False


def _folders(module: str) -> list[Path]:
    spec = importlib.util.find_spec(module)
    return [Path(path) for path in (spec.submodule_search_locations or [])] if spec else []


def _versioned(package: str) -> str:
    """Returns a package with the version that fits the installed JAX, as pip takes it."""
    for requirement in metadata.requires("jax") or ():
        if found := re.match(rf"{re.escape(package)}\s*(==[\w.*]+)", requirement):
            return f"'{package}{found[1]}'"
    return package.replace("JAX", metadata.version("jax"))
