"""All 13 systems as whole networks: which parameters learn, saving and loading, and every trunk."""

import itertools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.extend.core import Literal

import stavis_jax
from stavis_jax.models.fusion import VARIANTS
from stavis_jax.models.resnet3d import BLOCKS_OF_DEPTH
from stavis_jax.models.soundnet import FEWEST_SAMPLES
from stavis_jax.models.stavis import NetworkConfig, Stavis
from stavis_jax.ops.backend_form import TEXTBOOK
from stavis_jax.prediction.model import StavisModel
from stavis_jax.training import parameter_groups, step
from stavis_jax.training.losses import LossWeights
from stavis_jax.weights.directory import WeightsInfo, save_weights
from stavis_jax.weights.flat_names import expected_shapes, flat_name, network_from, read_network

DEPTH = 10
RATES = dict.fromkeys(parameter_groups.GROUPS, 1.0)
EACH = pytest.mark.parametrize("variant", VARIANTS)


def dependent(jaxpr, inputs: Sequence[bool]) -> list[bool]:
    """Returns which outputs of a program depend on any of the marked inputs. The others are constants."""
    known = dict(zip(jaxpr.invars, inputs, strict=True))

    def marked(variable) -> bool:
        return not isinstance(variable, Literal) and known.get(variable, False)

    for equation in jaxpr.eqns:
        given = [marked(variable) for variable in equation.invars]
        inner = equation.params.get("jaxpr") if equation.primitive.name in ("jit", "pjit") else None
        found = dependent(inner.jaxpr, given) if inner else [any(given)] * len(equation.outvars)
        known |= dict(zip(equation.outvars, found, strict=True))
    return [marked(variable) for variable in jaxpr.outvars]


def test_constants_are_told_from_what_depends_on_the_input():
    def outputs(x):
        inner = jax.jit(lambda x: (jnp.sin(x), jnp.ones(3)))(x)
        return *inner, inner[1] * 2, inner[0] + inner[1], jax.grad(lambda x: jax.lax.stop_gradient(x).sum())(x)

    closed = jax.make_jaxpr(outputs)(jnp.zeros(3))
    assert dependent(closed.jaxpr, [True]) == [True, False, False, True, False]


@pytest.mark.slow
@EACH
def test_the_gradient_of_the_training_loss_reaches_what_learns_and_nothing_else(variant):
    """In the gradient's program, parameters that the loss does not depend on have a constant zero."""
    network = nnx.eval_shape(lambda: Stavis(NetworkConfig(variant, DEPTH), rngs=nnx.Rngs(0), form=TEXTBOOK))
    graphdef, params, stats = nnx.split(network, nnx.Param, nnx.BatchStat)
    job = step.StepConstants(graphdef, None, LossWeights(), effective_batch=2)
    shapes = {"clip": (2, 16, 32, 32, 3), "waveform": (2, FEWEST_SAMPLES), "density": (2, 32, 32), "weight": (2,)}
    batch = {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in shapes.items()}
    batch["fixations"] = batch["density"]

    def gradients(params, stats, batch):
        return step.loss_gradients(job, step.TrainState(jnp.int32(0), params, stats, ()), batch, jnp.float32(0.5))[0]

    closed, outline = jax.make_jaxpr(gradients, return_shape=True)(params, stats, batch)
    names = [flat_name(path) for path, _ in nnx.to_flat_state(outline)]
    reaches = dict(zip(names, dependent(closed.jaxpr, [True] * len(closed.jaxpr.invars)), strict=True))
    factors = parameter_groups.rate_factors(names, variant, RATES)
    assert {name for name in names if reaches[name]} == {name for name in names if factors[name]}

    parts = {name.split("/")[0] for name in names if reaches[name]}
    sound = {"soundnet", "hidden", "fuseav"} | ({"localization"} if not variant.startswith("l1-") else set())
    assert parts & (sound | {"localization"}) == (set() if variant == "visual" else sound)
    assert ("fuse" in parts) == (variant == "visual" or variant.endswith(("s1", "fus")))
    heads = {name for name in names if reaches[name] and "upsample" in name}
    assert (heads == set()) == variant.endswith("audio-only")


@pytest.mark.slow
@EACH
def test_a_system_comes_back_from_disk_with_the_same_logits(variant, tmp_path):
    config, draw = NetworkConfig(variant, DEPTH), np.random.default_rng(1)
    weights = {name: draw.random(shape, np.float32) / 50 for name, shape in expected_shapes(config).items()}
    network = network_from(config, jax.tree.map(jnp.asarray, weights))  # what a training ends with
    save_weights(tmp_path / "last", read_network(network), WeightsInfo.of_network(config, size=32))
    clip = jnp.asarray(50 * draw.normal(size=(1, 1, 16, 16, 3)), jnp.float32)
    waveform = jnp.asarray(50 * draw.normal(size=(1, FEWEST_SAMPLES)), jnp.float32)
    loaded = stavis_jax.load(tmp_path / "last")
    assert (loaded.variant, loaded.depth, loaded.size) == (variant, DEPTH, 32)
    expected = np.asarray(StavisModel(config, weights, 32).saliency_logits(clip, waveform))
    np.testing.assert_array_equal(loaded.saliency_logits(clip, waveform), expected)
    assert np.isfinite(expected).all() and np.ptp(expected) > 0


TRUNKS = tuple(itertools.product(BLOCKS_OF_DEPTH, ("A", "B")))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "depth", "shortcut"),
    [(variant, *trunk) for variant, trunk in zip(itertools.cycle(VARIANTS), TRUNKS)],
)
def test_any_trunk_carries_any_system(variant, depth, shortcut):
    """Tests every trunk once and every system at least once: a system only depends on a trunk's channels."""
    clip = jax.ShapeDtypeStruct((2, 16, 32, 32, 3), jnp.float32)
    waveform = jax.ShapeDtypeStruct((2, FEWEST_SAMPLES), jnp.float32)

    def run(clip, waveform):
        return Stavis(NetworkConfig(variant, depth, shortcut), rngs=nnx.Rngs(0), form=TEXTBOOK)(clip, waveform)

    outputs = jax.eval_shape(run, clip, waveform)
    assert outputs.logits.shape == (2, 32, 32)
    if variant != "visual":
        assert outputs.localization.shape == (2, 4, 4, VARIANTS[variant].num_maps)
