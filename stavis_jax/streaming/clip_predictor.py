"""Predicts single clips of which many frames were in the clip before."""

from collections.abc import Sequence

import jax
import numpy as np

from data_pipelines.inputs import windows
from data_pipelines.runtime.errors import UserError, out_of_memory_as_user_error
from stavis_jax.models.shared_stem import REACH, kind_of
from stavis_jax.prediction import programs
from stavis_jax.prediction.clip_streams import ClipByClipStream
from stavis_jax.prediction.model import StavisModel
from stavis_jax.prediction.protocol import SaliencyModel
from stavis_jax.streaming.newest_frames import LiveFrame


class ClipPredictor:
    """Predicts one clip after the other.

    On a CPU, the products of the network's first layer with each frame are kept as long as clips hold the frame, and
    the rest runs in the programs that `predict` compiles too. Elsewhere, a clip is one call of one program.
    """

    def __init__(self, model: SaliencyModel):
        """`model` sees the picture only."""
        self._model = model
        self._products: dict[int, jax.Array] = {}  # by the number of the frame

    def predict(self, clip: Sequence[LiveFrame]) -> np.ndarray:
        """Returns the map of a clip of 16 frames, float32 [S, S] in [0, 1]. A frame may be in it several times.

        Raises:
          UserError: the map is not finite, or the clip does not fit into memory.
        """
        with out_of_memory_as_user_error("a clip", "Use a smaller network."):
            if isinstance(self._model, StavisModel) and self._model.form.layout == "frames":
                predictions = self._after_products(self._model, clip)
            else:
                stream = ClipByClipStream(self._model, num_clips=1, stride=1)
                stream.feed(np.stack([frame.small for frame in clip]))
                predictions = stream.predict(np.zeros((1, windows.WAVEFORM_SAMPLES), np.float32))
            saliency = np.asarray(predictions.saliency)[0]
        if not np.isfinite(saliency).all():
            raise UserError("checkpoint: its maps hold values that are not numbers. Give another checkpoint.")
        return saliency

    def _after_products(self, model: StavisModel, clip: Sequence[LiveFrame]) -> programs.ClipPredictions:
        known, self._products = self._products, {}
        for frame in clip:
            if frame.number not in self._products:
                kept = known.get(frame.number)
                self._products[frame.number] = _products(model, frame) if kept is None else kept
        products = [self._products[frame.number] for frame in clip]
        # The kinds of a clip's first and last steps use nothing that lies outside the clip.
        around = [*products[:1] * REACH, *products, *products[-1:] * REACH]
        stem = []
        for step in range(len(clip)):
            window = tuple(around[step : step + 2 * REACH + 1])
            stem.append(model.run(programs.stem_kinds, window)[kind_of(step)])
        size = model.size, model.size
        return model.run(programs.predict_after_stem, [tuple(stem)], None, size=size)


def _products(model: StavisModel, frame: LiveFrame) -> jax.Array:
    (products,) = model.run(programs.stem_products, windows.subtract_mean(frame.small[None]))
    return products
