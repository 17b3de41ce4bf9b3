"""Makes shards from raw data and clips from shards. Does not depend on the networks."""

from typing import TYPE_CHECKING, Any

from absl import logging

from data_pipelines.runtime import started_as_command  # noqa: F401, before what takes long

if TYPE_CHECKING:
    from data_pipelines.clips.source import open_clips

__all__ = ["open_clips"]

# Before jaxlib 0.11, grain logs on import that it cannot profile its processes. Users cannot change that.
logging.get_absl_logger().addFilter(lambda record: "worker profiling requires jaxlib" not in record.getMessage())


def __getattr__(name: str) -> Any:
    """Imports `open_clips` on first use: importing grain takes a second, and prediction does not need it."""
    if name != "open_clips":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from data_pipelines.clips.source import open_clips

    return open_clips
