"""Raw data -> shards -> clips. Knows nothing of networks."""

from typing import TYPE_CHECKING, Any

from absl import logging

if TYPE_CHECKING:
    from data_pipelines.clips.source import open_clips

__all__ = ["open_clips"]

# Before jaxlib 0.11 grain says, when it is imported, that it cannot profile its processes: nothing a user can mend.
logging.get_absl_logger().addFilter(lambda record: "worker profiling requires jaxlib" not in record.getMessage())


def __getattr__(name: str) -> Any:
    """Imports `open_clips` when it is first used: grain takes a second, and who predicts a film needs none of it."""
    if name != "open_clips":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from data_pipelines.clips.source import open_clips

    return open_clips
