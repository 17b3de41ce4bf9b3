from stavis_jax.cli import checkpoint_flags
from stavis_jax.ops import number_format


def test_the_flag_offers_the_number_formats_of_the_network():
    assert checkpoint_flags.NUMBER_FORMATS == number_format.NUMBER_FORMATS
