"""Gives the memory that XLA's compiler has freed back to the system, before the compiled function needs its own."""

import functools

import jax

from data_pipelines.runtime.freed_memory import give_back_freed_memory

COMPILED = "/jax/core/compile/backend_compile_duration"  # also sent where the function comes from the cache
LONG_SECONDS = 0.5  # a short compilation leaves little


@functools.cache
def give_back_after_compiling() -> None:
    """From now on, gives back what each long compilation of this process has freed. Does nothing without glibc.

    A train step leaves 400 to 800 MiB in pieces, which malloc would keep beside the step's one large buffer.
    """

    def listener(event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event == COMPILED and duration_secs > LONG_SECONDS:
            give_back_freed_memory()

    jax.monitoring.register_event_duration_secs_listener(listener)
