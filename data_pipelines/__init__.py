"""Raw data -> shards -> clips. Knows nothing of networks."""

from data_pipelines.clip_source import open_clips

__all__ = ["open_clips"]
