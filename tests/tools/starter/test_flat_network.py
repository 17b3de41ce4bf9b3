"""The flat network is the project's network of a single frame."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from stavis_jax.models.stavis import NetworkConfig  # noqa: E402
from stavis_jax.weights.flat_names import expected_shapes, fill_network, new_network  # noqa: E402
from tools.starter.flat_network import MEAN_RGB, FlatVisual, to_flat_weights  # noqa: E402

CONFIG = NetworkConfig("visual", 10)


@pytest.fixture(scope="module")
def flat() -> FlatVisual:
    torch.manual_seed(0)
    network = FlatVisual()
    for parameter in network.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    network.train()(255 * torch.rand(4, 3, 48, 48))  # statistics
    return network.eval()


def test_its_weights_have_the_names_and_shapes_of_the_project(flat):
    weights = to_flat_weights(flat.state_dict())
    assert {name: array.shape for name, array in weights.items()} == expected_shapes(CONFIG)


@pytest.mark.slow
@pytest.mark.parametrize("frames", [1, 16])
def test_it_predicts_what_the_project_predicts_of_a_still(flat, frames):
    pictures = 255 * torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        logits, sides = flat(pictures)
    network = new_network(CONFIG, seed=0)
    assert fill_network(network, to_flat_weights(flat.state_dict())) == []
    clip = np.repeat(pictures.permute(0, 2, 3, 1).numpy()[:, None] - np.float32(MEAN_RGB), frames, axis=1)
    outputs = jax.jit(lambda x: network(x, None)[:2])(jnp.asarray(clip))
    np.testing.assert_allclose(logits, outputs[0], rtol=1e-4, atol=1e-4)
    for side, theirs in zip(sides, outputs[1], strict=True):
        np.testing.assert_allclose(side, theirs, rtol=1e-4, atol=1e-4)
