"""STAViS, spatio-temporal audiovisual saliency, in JAX.

  model = stavis_jax.load("stavis.pth")
  outputs = model(clip, waveform)
  saliency_maps = stavis_jax.predict_video("film.mp4", model)

`stavis_jax.metrics` scores saliency maps.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stavis_jax import metrics
    from stavis_jax.model import SaliencyModel, load
    from stavis_jax.models.stavis import NetworkConfig, Outputs
    from stavis_jax.prediction import predict_video

__all__ = ["NetworkConfig", "Outputs", "SaliencyModel", "load", "metrics", "predict_video"]

_MODULES = {
    "NetworkConfig": "stavis_jax.models.stavis",
    "Outputs": "stavis_jax.models.stavis",
    "SaliencyModel": "stavis_jax.model",
    "load": "stavis_jax.model",
    "predict_video": "stavis_jax.prediction",
}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used: JAX takes seconds, and a command's --help needs none of it."""
    if name == "metrics":
        return importlib.import_module("stavis_jax.metrics")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
