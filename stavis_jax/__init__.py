"""STAViS, spatio-temporal audiovisual saliency, in JAX.

  model = stavis_jax.load()  # the starter network; or load("stavis.pth")
  saliency_maps = stavis_jax.predict_video("film.mp4", model)  # [N, 112, 112]
  saliency_maps = stavis_jax.predict_frames(frames, sound, 44_100, 25, model)
  for prediction in stavis_jax.predict_film("two_hours.mkv", model): ...
  outputs = model(clip, waveform)

`stavis_jax.metrics` scores saliency maps.
"""

import importlib
from typing import TYPE_CHECKING, Any

import data_pipelines.runtime.started_as_command  # noqa: F401, before what takes long

if TYPE_CHECKING:
    from stavis_jax import metrics
    from stavis_jax.models.stavis import NetworkConfig, Outputs
    from stavis_jax.ops.backend_form import BackendForm
    from stavis_jax.outputs.options import PredictionOptions
    from stavis_jax.outputs.write import write_predictions
    from stavis_jax.prediction.api import predict_film, predict_frames, predict_video
    from stavis_jax.prediction.frame_prediction import FramePrediction
    from stavis_jax.prediction.model import StavisModel, load
    from stavis_jax.prediction.protocol import SaliencyModel

__all__ = [
    "BackendForm",
    "FramePrediction",
    "NetworkConfig",
    "Outputs",
    "PredictionOptions",
    "SaliencyModel",
    "StavisModel",
    "load",
    "metrics",
    "predict_film",
    "predict_frames",
    "predict_video",
    "write_predictions",
]

_MODULES = {
    "BackendForm": "stavis_jax.ops.backend_form",
    "FramePrediction": "stavis_jax.prediction.frame_prediction",
    "NetworkConfig": "stavis_jax.models.stavis",
    "Outputs": "stavis_jax.models.stavis",
    "PredictionOptions": "stavis_jax.outputs.options",
    "SaliencyModel": "stavis_jax.prediction.protocol",
    "StavisModel": "stavis_jax.prediction.model",
    "load": "stavis_jax.prediction.model",
    "predict_film": "stavis_jax.prediction.api",
    "predict_frames": "stavis_jax.prediction.api",
    "predict_video": "stavis_jax.prediction.api",
    "write_predictions": "stavis_jax.outputs.write",
}


def __getattr__(name: str) -> Any:
    """Imports a public name on first use. Importing JAX takes seconds, and a command's --help does not need it."""
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("stavis-jax")
    if name == "metrics":
        return importlib.import_module("stavis_jax.metrics")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
