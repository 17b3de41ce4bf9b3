from stavis_jax.cli import network_flags
from stavis_jax.prediction import frame_stream


def test_the_largest_stride_is_that_of_the_prediction():
    assert network_flags.LARGEST_STRIDE == frame_stream.LARGEST_STRIDE
