"""Raw data -> shards -> clips. Knows nothing of networks."""

from absl import logging

from data_pipelines.clip_source import open_clips

__all__ = ["open_clips"]

# Before jaxlib 0.11 grain says, when it is imported, that it cannot profile its processes: nothing a user can mend.
logging.get_absl_logger().addFilter(lambda record: "worker profiling requires jaxlib" not in record.getMessage())
