"""A host whose write failed ends with its error, and does not wait for the others."""

import threading

import orbax.checkpoint as ocp
import pytest

from stavis_jax.training.checkpointing.host_barrier import HostBarrier


@pytest.fixture
def waits(monkeypatch) -> list[str]:
    """Returns the barriers at which this host has waited."""
    found: list[str] = []
    monkeypatch.setattr(ocp.multihost, "get_barrier_sync_fn", lambda: lambda *, key, timeout_ms: found.append(key))
    return found


def in_thread(work) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_a_thread_whose_write_failed_raises_its_error_at_the_barrier(waits):
    barrier, raised = HostBarrier(), []

    def write() -> None:
        try:
            try:
                raise OSError("full")
            finally:
                barrier(key="done", timeout_ms=1)
        except OSError as error:
            raised.append(error)

    in_thread(write)
    assert [str(error) for error in raised] == ["full"]
    assert waits == []


def test_other_threads_wait(waits):
    barrier = HostBarrier()
    in_thread(lambda: barrier(key="in a thread", timeout_ms=1))
    try:
        raise ValueError("of something else")
    except ValueError:
        barrier(key="in the main thread", timeout_ms=1)
    assert waits == ["in a thread", "in the main thread"]
