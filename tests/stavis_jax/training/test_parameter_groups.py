"""Every parameter of every network is in exactly one row, at the rate of the released training."""

import json
from pathlib import Path

import pytest
from flax import nnx

from stavis_jax.configs import av
from stavis_jax.models.fusion import VARIANTS
from stavis_jax.models.stavis import NetworkConfig, Stavis
from stavis_jax.training import parameter_groups
from stavis_jax.weights.flat_names import flat_name
from stavis_jax.weights.key_tables import rows

TABLES = json.loads((Path(__file__).parents[2] / "golden" / "train.json").read_text())["parameters"]
GROUP_RATES = {"trunk": 1.0, "heads": 1.0, "sound": 1.0, "localization": 1.0}


def parameter_names(variant: str, depth: int = 18, shortcut: str = "B") -> list[str]:
    network = nnx.eval_shape(lambda: Stavis(NetworkConfig(variant, depth, shortcut), rngs=nnx.Rngs(0)))
    return [flat_name(path) for path, _ in nnx.to_flat_state(nnx.state(network, nnx.Param))]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "depth"),
    [*((variant, 10) for variant in VARIANTS), *(("l3mul-fus", depth) for depth in (18, 34, 50, 101, 152, 200))],
)
def test_every_parameter_falls_in_exactly_one_row(variant, depth):
    for name in parameter_names(variant, depth):
        parameter_groups.row_of(name)


def test_an_unknown_parameter_is_an_error_that_names_it():
    with pytest.raises(ValueError, match="'head2/kernel' falls in 0 rows"):
        parameter_groups.row_of("head2/kernel")


@pytest.mark.parametrize("table", TABLES)
def test_rates_are_those_of_the_released_training(table):
    variant = "visual" if table.startswith("visual") else "l3mul-s3"
    depth = int(table.partition("resnet")[2])
    stages = av.get_config().stages
    stage = stages.visual if variant == "visual" else stages.audiovisual
    factors = parameter_groups.rate_factors(parameter_names(variant, depth), variant, stage.group_rates.to_dict())
    theirs = {
        row.name: TABLES[table]["table"][row.key] for row in rows("stavis", depth) if row.key in TABLES[table]["table"]
    }
    assert factors.keys() <= theirs.keys()
    for name, factor in factors.items():
        expected = theirs[name]["lr_multiplier"] if theirs[name]["gradient"] else 0.0
        assert factor == pytest.approx(expected, rel=1e-9), name
    assert not any(theirs[name]["gradient"] for name in theirs.keys() - factors.keys())


def test_frozen_upsampling_kernels_do_not_learn():
    factors = parameter_groups.rate_factors(parameter_names("visual"), "visual", GROUP_RATES, freeze_upsampling=True)
    frozen = {name for name, factor in factors.items() if factor == 0}
    assert frozen == {f"attention{m}/upsample_{what}" for m in range(1, 5) for what in ("features", "activation")}
