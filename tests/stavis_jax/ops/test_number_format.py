"""Which devices compute in bfloat16 by default."""

import types

import pytest

from stavis_jax.ops.number_format import number_format


def device(platform: str, **facts: str) -> types.SimpleNamespace:
    return types.SimpleNamespace(platform=platform, **facts)


@pytest.mark.parametrize(
    ("computes", "dtype"),
    [
        (device("cpu"), "float32"),
        (device("tpu"), "bfloat16"),
        (device("gpu", compute_capability="9.0"), "bfloat16"),  # H100
        (device("gpu", compute_capability="8.0"), "bfloat16"),  # A100
        (device("gpu", compute_capability="12.0"), "bfloat16"),  # RTX 50
        (device("gpu", compute_capability="7.5"), "float32"),  # T4
        (device("gpu", compute_capability="gfx90a"), "float32"),
        (device("gpu"), "float32"),
    ],
)
def test_auto_is_bfloat16_where_the_device_has_it(computes, dtype):
    assert number_format("auto", computes) == dtype


def test_a_choice_holds_on_any_device():
    assert number_format("bfloat16", device("cpu")) == "bfloat16"
    assert number_format("float32", device("tpu")) == "float32"


def test_the_default_is_that_of_the_first_device():
    assert number_format() == "float32"


def test_an_unknown_choice_lists_the_known_ones():
    with pytest.raises(ValueError, match="'half' is not one of auto, float32, bfloat16"):
        number_format("half")
