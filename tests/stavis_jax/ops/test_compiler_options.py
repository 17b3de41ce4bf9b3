"""XLA's options on a backend that this machine may not have."""

import jax
import pytest

from stavis_jax.ops.compiler_options import CHANNELS_LAST, SCHEDULER, compiler_options, training_options


@pytest.fixture(autouse=True)
def _fresh():
    for options in (compiler_options, training_options):
        options.cache_clear()
    yield
    for options in (compiler_options, training_options):
        options.cache_clear()


def test_a_cpu_needs_none():
    assert compiler_options() == {}


def test_on_a_gpu_convolutions_keep_their_channels_last(monkeypatch):
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert compiler_options() == {CHANNELS_LAST: True}


def test_the_users_flag_is_left_alone(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setenv("XLA_FLAGS", f"--{CHANNELS_LAST}=false")
    assert compiler_options() == {}


def test_an_option_that_xla_lacks_is_left_out(monkeypatch):
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr("stavis_jax.ops.compiler_options.CHANNELS_LAST", "xla_gpu_no_such_option")
    assert compiler_options() == {}


def test_a_cpu_trains_with_little_memory(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "")
    assert training_options() == {SCHEDULER: "CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED"}
    training_options.cache_clear()
    monkeypatch.setenv("XLA_FLAGS", f"--{SCHEDULER}=CPU_SCHEDULER_TYPE_DEFAULT")
    assert training_options() == {}


def test_accelerators_train_with_the_options_that_they_score_with(monkeypatch):
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    assert training_options("tpu") == {}
    assert training_options("gpu") == compiler_options("gpu")
