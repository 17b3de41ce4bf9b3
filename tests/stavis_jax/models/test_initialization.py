"""Compares starting values with those measured on the authors' new networks (golden/init.json)."""

import json
import logging
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx

from stavis_jax.models.stavis import NetworkConfig, Stavis
from stavis_jax.ops.backend_form import TEXTBOOK
from stavis_jax.weights.checkpoint_kinds import Architecture
from stavis_jax.weights.flat_names import new_network, read_network
from stavis_jax.weights.key_tables import COUNTER
from stavis_jax.weights.transfer import to_pytorch

MEASURED = json.loads((Path(__file__).parents[2] / "golden" / "init.json").read_text())["resnet18"]
DEVIATIONS = 5  # of ours and of theirs from the distribution, in standard errors


@pytest.fixture(scope="module")
def drawn():
    """Returns our starting values under the authors' names."""
    network = new_network(NetworkConfig("l3mul-s3", 18), seed=0)
    state = to_pytorch(read_network(network), None, Architecture("stavis", 18, "B"))
    return {f"module.{key}": array.astype(np.float64) for key, array in state.items()}


@pytest.mark.slow
def test_starting_values_are_distributed_as_the_authors(drawn):
    assert drawn.keys() == {key for key in MEASURED if not key.endswith(COUNTER)}
    for key, array in drawn.items():
        theirs = MEASURED[key]
        if theirs["same_every_time"]:
            for ours, name in (
                (array.mean(), "mean"),
                (array.std(), "std"),
                (array.min(), "min"),
                (array.max(), "max"),
            ):
                np.testing.assert_allclose(ours, theirs[name], rtol=1e-5, atol=1e-7, err_msg=f"{key} {name}")
            continue
        error = theirs["std"] / np.sqrt(array.size)
        assert abs(array.mean()) < DEVIATIONS * error, key
        assert abs(array.std() - theirs["std"]) < 2 * DEVIATIONS * error, key


@pytest.mark.slow
def test_a_seed_gives_the_same_values_and_another_seed_others():
    config = NetworkConfig("visual", 10)
    first, same, other = (read_network(new_network(config, seed)) for seed in (0, 0, 1))
    for name, array in first.items():
        np.testing.assert_array_equal(array, same[name])
    assert np.abs(first["fuse/conv/kernel"] - other["fuse/conv/kernel"]).max() > 0


@pytest.mark.slow
def test_networks_of_other_seeds_and_forms_are_not_compiled_again(caplog):
    new_network(NetworkConfig("visual", 10), seed=0)
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        new_network(NetworkConfig("visual", 10), seed=2, form=TEXTBOOK)
    assert "Compiling" not in caplog.text


@pytest.mark.slow  # draws a whole network, slowly
def test_fast_drawing_gives_the_values_of_the_plain_one():
    config = NetworkConfig("visual", 10)
    plain = read_network(Stavis(config, rngs=nnx.Rngs(3)))  # op by op, as Flax does
    for name, array in read_network(new_network(config, seed=3)).items():
        np.testing.assert_allclose(array, plain[name], rtol=1e-5, atol=1e-7, err_msg=name)
