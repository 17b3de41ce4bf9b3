"""Single clips that share frames give the maps of the network, on every kind of backend."""

import numpy as np
import pytest
from made_checkpoints import weights_of_distinct_maps
from made_models import MadeModel

from data_pipelines.inputs import windows
from data_pipelines.runtime.errors import UserError
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.ops.backend_form import BackendForm
from stavis_jax.prediction import programs
from stavis_jax.prediction.model import StavisModel
from stavis_jax.streaming.clip_predictor import ClipPredictor
from stavis_jax.streaming.newest_frames import LiveFrame, clip_of

SIZE = 32
ATOL = 3e-5  # of saliency: float32, sums in another order


def frames(count: int) -> list[LiveFrame]:
    pictures = np.random.default_rng(0).integers(0, 256, (count, SIZE, SIZE, 3), np.uint8)
    return [LiveFrame(number, number / 25, picture, picture) for number, picture in enumerate(pictures, start=1)]


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["cpu", "gpu"])
def test_maps_are_those_of_whole_clips(platform):
    config = NetworkConfig("visual", 10)
    form = BackendForm.for_platform(platform, scoring=True)
    model = StavisModel(config, weights_of_distinct_maps(config), SIZE, form=form)
    predictor, film = ClipPredictor(model), frames(22)
    for newest, lookahead in ((16, 8), (17, 8), (22, 3), (22, 0)):
        clip = clip_of(film[newest - 16 : newest], lookahead)
        saliency = predictor.predict(clip)
        pixels = windows.subtract_mean(np.stack([frame.small for frame in clip]))[None]
        expected = np.asarray(programs.saliency_of(model(pixels, None).logits))[0]
        assert np.ptp(expected) > 0.01
        np.testing.assert_allclose(saliency, expected, atol=ATOL)


def test_a_map_of_no_numbers_names_the_checkpoint():
    class Broken(MadeModel):
        size, uses_sound = SIZE, False

        def logits(self, clip, waveform):
            return np.full((1, SIZE, SIZE), np.nan)

    with pytest.raises(UserError, match="checkpoint: its maps hold values that are not numbers"):
        ClipPredictor(Broken()).predict(frames(16))
