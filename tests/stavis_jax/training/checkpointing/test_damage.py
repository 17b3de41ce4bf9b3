import pytest

from stavis_jax.training.checkpointing.damage import damage_of


def wrapped(cause: Exception) -> Exception:
    """Returns a plain Exception with a cause, as orbax raises it for arrays that cannot be read."""
    error = Exception("Encountered error while reading array index")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("kind", [ValueError, KeyError, TypeError, OSError, FileNotFoundError])
def test_errors_of_reading_are_damage_also_if_orbax_wraps_them(kind):
    fault = kind("cut short")
    assert damage_of(fault) is fault
    assert damage_of(wrapped(fault)) is fault


@pytest.mark.parametrize("error", [RuntimeError("a bug"), MemoryError(), Exception("a bug"), wrapped(MemoryError())])
def test_other_errors_are_not(error):
    assert damage_of(error) is None
