"""Compares the loss terms with the authors' PyTorch code, and checks inputs for which the formulas are undefined."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stavis_jax.training import losses

GOLDEN = Path(__file__).parents[2] / "golden"
CASES = json.loads((GOLDEN / "losses.json").read_text())["cases"]
TERMS = {"bce": losses.cross_entropy, "cc": losses.correlation, "nss": losses.nss}


@pytest.fixture(scope="module")
def golden_arrays():
    with np.load(GOLDEN / "losses.npz") as arrays:
        return dict(arrays)


def inputs_of(case: dict, formulas) -> dict[str, np.ndarray]:
    arguments = case["seed"], case["batch"], case["size"]
    logits, density = formulas.logits(*arguments)[:, 0], formulas.salmap(*arguments)[:, 0]
    fixations = formulas.binmap(*arguments)[:, 0]
    match case["edit"]:
        case "empty_binmap":
            fixations[1] = 0
        case "empty_salmap":
            density[1] = 0
        case "near_constant":
            logits[1] = -2 + logits[1] / 1024
        case "constant":
            logits[1] = -2
    return {"logits": logits, "density": density, "fixations": fixations}


@pytest.mark.slow
@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("name", CASES)
def test_terms_and_their_gradients_are_those_of_the_released_training(name, term, formulas, golden_arrays):
    case = CASES[name]
    inputs = inputs_of(case, formulas)
    target = jnp.asarray(inputs["fixations" if term == "nss" else "density"])
    logits = jnp.asarray(inputs["logits"])
    value_atol, gradient_rtol = (1e-3, 1e-3) if name == "near_constant" else (1e-5, 1e-5)
    for k, weights in enumerate(case["weights"]):
        weights = jnp.asarray(weights, jnp.float32)
        value = TERMS[term](logits, target) * weights
        gradient = jax.grad(lambda x, w=weights: jnp.sum(TERMS[term](x, target) * w))(logits)
        expected = golden_arrays[f"{name}/w{k}/{term}/value"].reshape(value.shape)
        expected_gradient = golden_arrays[f"{name}/w{k}/{term}/grad"].reshape(gradient.shape)
        defined = ~np.isnan(expected)  # of a constant prediction: NaN there, 0 here
        if term == "bce":
            np.testing.assert_allclose(value, expected, rtol=1e-5)
            np.testing.assert_allclose(gradient, expected_gradient, rtol=0, atol=1e-6)
            continue
        np.testing.assert_allclose(value[defined], expected[defined], rtol=0, atol=value_atol)
        atol = gradient_rtol * np.nanmax(np.abs(expected_gradient))
        np.testing.assert_allclose(gradient[defined], expected_gradient[defined], rtol=0, atol=atol)
        assert np.isfinite(value).all()
        assert np.isfinite(gradient).all()


HOLES = {
    "no fixation": {"fixations": 0.0},
    "empty density": {"density": 0.0},
    "constant density": {"density": 77.0},
    "constant prediction": {"logits": -3.3},
    "constant prediction far down": {"logits": -80.0},
    "constant prediction far up": {"logits": 80.0},
}


@pytest.mark.parametrize("hole", HOLES)
def test_loss_is_finite_with_finite_gradients_where_a_formula_has_a_hole(hole, formulas):
    inputs = inputs_of(CASES["plain"] | {"size": 112}, formulas)
    inputs |= {name: np.full_like(inputs[name], value) for name, value in HOLES[hole].items()}
    logits, density, fixations = (jnp.asarray(inputs[name]) for name in ("logits", "density", "fixations"))

    def loss(x):
        return jnp.sum(losses.loss_terms(x, density, fixations, losses.LossWeights())["loss"])

    value, gradient = jax.value_and_grad(loss)(logits)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_constant_prediction_scores_zero_correlation_and_nss(formulas):
    inputs = inputs_of(CASES["plain"], formulas)
    logits = jnp.full_like(inputs["logits"], -2.7)
    np.testing.assert_array_equal(losses.correlation(logits, jnp.asarray(inputs["density"])), 0)
    np.testing.assert_array_equal(losses.nss(logits, jnp.asarray(inputs["fixations"])), 0)


def test_a_better_map_has_a_lower_loss(formulas):
    inputs = inputs_of(CASES["plain"], formulas)
    density, fixations = jnp.asarray(inputs["density"]), jnp.asarray(inputs["fixations"])
    good, bad = density / 64 - 3, density[:, ::-1, ::-1] / 64 - 3
    for term, target in ((losses.cross_entropy, density), (losses.correlation, density)):
        assert (term(good, target) < term(bad, target)).all()
    hits, misses = fixations * 4 - 3, jnp.roll(fixations, 7, axis=1) * 4 - 3
    assert (losses.nss(hits, fixations) < losses.nss(misses, fixations)).all()


def test_terms_are_weighted_as_in_the_paper(formulas):
    inputs = inputs_of(CASES["plain"], formulas)
    logits, density, fixations = (jnp.asarray(inputs[name]) for name in ("logits", "density", "fixations"))
    by_hand = (
        0.1 * losses.cross_entropy(logits, density)
        + 2 * losses.correlation(logits, density)
        + losses.nss(logits, fixations)
    )
    np.testing.assert_allclose(
        losses.loss_terms(logits, density, fixations, losses.LossWeights())["loss"], by_hand, rtol=1e-6
    )
